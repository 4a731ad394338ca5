"""Workers: processes that do jobs, the queue of jobs, devices. They know no study."""
