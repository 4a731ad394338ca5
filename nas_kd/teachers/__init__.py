"""Teachers: loading, training, and computing what the students need of them."""
