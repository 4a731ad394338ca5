"""The C functions of which a student is made; a student's file has those that it calls."""

REQUANTISED = """
/* A number in units of a code's scale, as an integer of that code: rounded half to even. */
static int8_t requantised(float real, int zero)
{
    const float low = (float)(-128 - zero), high = (float)(127 - zero);
    const float within = real < low ? low : real > high ? high : real;
    return (int8_t)(lrintf(within) + zero);
}
"""

QUANTISE = """
/* The example, normalised channel by channel, as integers. */
static void quantise(const student_input *example, int8_t *out, int channels, int positions,
                     const float *gain, const float *offset)
{
    for (int c = 0; c < channels; c++)
        for (int i = 0; i < positions; i++, example++)
            *out++ = requantised((float)*example * gain[c] + offset[c], 0);
}
"""

CONVOLVE = """
/* A convolution [out_channels][in_channels / groups][kernel]; a signal has a height of 1. */
struct convolution {
    const int8_t *weight;
    const int32_t *bias;
    const float *multiplier;
    int in_channels, in_height, in_width;
    int out_channels, out_height, out_width;
    int kernel_height, kernel_width, stride_height, stride_width;
    int pad_height, pad_width, dilation_height, dilation_width, groups;
    int in_zero, out_zero;
};

static void convolve(const int8_t *in, int8_t *out, const struct convolution *layer)
{
    const int depth = layer->in_channels / layer->groups;
    const int together = layer->out_channels / layer->groups;
    const int map = layer->in_height * layer->in_width;
    const int8_t *weights = layer->weight;
    for (int o = 0; o < layer->out_channels; o++) {
        const int8_t *read = in + o / together * depth * map;
        for (int y = 0; y < layer->out_height; y++)
            for (int x = 0; x < layer->out_width; x++) {
                const int top = y * layer->stride_height - layer->pad_height;
                const int left = x * layer->stride_width - layer->pad_width;
                const int8_t *weight = weights;
                int32_t sum = layer->bias[o];
                for (int i = 0; i < depth; i++)
                    for (int ky = 0; ky < layer->kernel_height; ky++)
                        for (int kx = 0; kx < layer->kernel_width; kx++, weight++) {
                            const int row = top + ky * layer->dilation_height;
                            const int column = left + kx * layer->dilation_width;
                            if (row < 0 || row >= layer->in_height)
                                continue;
                            if (column < 0 || column >= layer->in_width)
                                continue;
                            sum += *weight * (read[i * map + row * layer->in_width + column]
                                              - layer->in_zero);
                        }
                *out++ = requantised((float)sum * layer->multiplier[o], layer->out_zero);
            }
        weights += depth * layer->kernel_height * layer->kernel_width;
    }
}
"""

LINEAR = """
/* A linear layer [outputs][inputs]. */
struct linear {
    const int8_t *weight;
    const int32_t *bias;
    const float *multiplier;
    int inputs, outputs, in_zero, out_zero;
};

static float linear_unit(const int8_t *in, const struct linear *layer, int o)
{
    const int8_t *weight = layer->weight + o * layer->inputs;
    int32_t sum = layer->bias[o];
    for (int i = 0; i < layer->inputs; i++)
        sum += weight[i] * (in[i] - layer->in_zero);
    return (float)sum * layer->multiplier[o];
}
"""

LINEAR_LAYER = """
static void linear(const int8_t *in, int8_t *out, const struct linear *layer)
{
    for (int o = 0; o < layer->outputs; o++)
        out[o] = requantised(linear_unit(in, layer, o), layer->out_zero);
}
"""

LINEAR_LOGITS = """
static void linear_logits(const int8_t *in, float *out, const struct linear *layer)
{
    for (int o = 0; o < layer->outputs; o++)
        out[o] = linear_unit(in, layer, o);
}
"""

DEQUANTISE = """
/* Integers as the numbers for which they stand. */
static void dequantise(const int8_t *in, float *out, int count, int zero, float scale)
{
    for (int i = 0; i < count; i++)
        out[i] = (float)(in[i] - zero) * scale;
}
"""

ADD = """
/* The sum of two maps; out may be one of them. */
struct sum {
    int left_zero, right_zero, out_zero;
    float left, right;
};

static void add(const int8_t *left, const int8_t *right, int8_t *out, int count,
                const struct sum *codes)
{
    for (int i = 0; i < count; i++) {
        const float one = (float)(left[i] - codes->left_zero) * codes->left;
        const float other = (float)(right[i] - codes->right_zero) * codes->right;
        out[i] = requantised(one + other, codes->out_zero);
    }
}
"""

MULTIPLY = """
/* A map times another one, or, if that has fewer positions, times one number a channel; out may
   be one of them. */
struct product {
    int left_zero, right_zero, out_zero;
    float multiplier;
};

static void multiply(const int8_t *map, const int8_t *gate, int8_t *out, int count, int each,
                     const struct product *codes)
{
    for (int i = 0; i < count; i++) {
        const int product = (map[i] - codes->left_zero) * (gate[i / each] - codes->right_zero);
        out[i] = requantised((float)product * codes->multiplier, codes->out_zero);
    }
}
"""

MEAN = """
/* The mean over all positions of each channel. */
static void mean(const int8_t *in, int8_t *out, int channels, int positions, int in_zero,
                 int out_zero, float multiplier)
{
    for (int c = 0; c < channels; c++) {
        int32_t sum = 0;
        for (int i = 0; i < positions; i++)
            sum += *in++ - in_zero;
        out[c] = requantised((float)sum * multiplier, out_zero);
    }
}
"""

WINDOW = """
/* Windows over a map; a signal has a height of 1. */
struct windows {
    int channels, in_height, in_width, out_height, out_width;
    int height, width, stride_height, stride_width, pad_height, pad_width;
    int in_zero, out_zero;
    float multiplier;
};
"""

LARGEST = """
/* The largest number of each window. */
static void largest(const int8_t *in, int8_t *out, const struct windows *pool)
{
    for (int c = 0; c < pool->channels; c++, in += pool->in_height * pool->in_width)
        for (int y = 0; y < pool->out_height; y++)
            for (int x = 0; x < pool->out_width; x++) {
                int found = -128;
                for (int ky = 0; ky < pool->height; ky++)
                    for (int kx = 0; kx < pool->width; kx++) {
                        const int row = y * pool->stride_height - pool->pad_height + ky;
                        const int column = x * pool->stride_width - pool->pad_width + kx;
                        if (row >= 0 && row < pool->in_height && column >= 0
                            && column < pool->in_width
                            && in[row * pool->in_width + column] > found)
                            found = in[row * pool->in_width + column];
                    }
                *out++ = (int8_t)found;
            }
}
"""

AVERAGE = """
/* The mean of each window; what lies outside counts as zero. */
static void average(const int8_t *in, int8_t *out, const struct windows *pool)
{
    for (int c = 0; c < pool->channels; c++, in += pool->in_height * pool->in_width)
        for (int y = 0; y < pool->out_height; y++)
            for (int x = 0; x < pool->out_width; x++) {
                int32_t sum = 0;
                for (int ky = 0; ky < pool->height; ky++)
                    for (int kx = 0; kx < pool->width; kx++) {
                        const int row = y * pool->stride_height - pool->pad_height + ky;
                        const int column = x * pool->stride_width - pool->pad_width + kx;
                        if (row >= 0 && row < pool->in_height && column >= 0
                            && column < pool->in_width)
                            sum += in[row * pool->in_width + column] - pool->in_zero;
                    }
                *out++ = requantised((float)sum * pool->multiplier, pool->out_zero);
            }
}
"""

LOOK_UP = """
/* A function of one number by its 256 values; out may be in. */
static void look_up(const int8_t *in, int8_t *out, int count, const int8_t *table)
{
    for (int i = 0; i < count; i++)
        out[i] = table[in[i] + 128];
}
"""

SHIFT = """
/* Every so many-th position, with channels of zeros before and after, or with channels left out. */
struct shift {
    int channels, in_height, in_width, out_channels, out_height, out_width;
    int step_height, step_width, before, zero;
};

static void shift(const int8_t *in, int8_t *out, const struct shift *how)
{
    for (int o = 0; o < how->out_channels; o++) {
        const int c = o - how->before;
        for (int y = 0; y < how->out_height; y++)
            for (int x = 0; x < how->out_width; x++) {
                const int place = (c * how->in_height + y * how->step_height) * how->in_width
                                  + x * how->step_width;
                *out++ = c < 0 || c >= how->channels ? (int8_t)how->zero : in[place];
            }
    }
}
"""

KERNELS = {
    "requantised": REQUANTISED,
    "quantise": QUANTISE,
    "convolve": CONVOLVE,
    "linear_unit": LINEAR,
    "linear": LINEAR_LAYER,
    "linear_logits": LINEAR_LOGITS,
    "dequantise": DEQUANTISE,
    "add": ADD,
    "multiply": MULTIPLY,
    "mean": MEAN,
    "windows": WINDOW,
    "largest": LARGEST,
    "average": AVERAGE,
    "look_up": LOOK_UP,
    "shift": SHIFT,
}
"""By name, in the order in which a file has them."""

NEEDS = {
    "quantise": ("requantised",), "convolve": ("requantised",),
    "linear": ("requantised", "linear_unit"), "linear_logits": ("linear_unit",),
    "add": ("requantised",), "multiply": ("requantised",),
    "mean": ("requantised",), "largest": ("windows",), "average": ("windows", "requantised"),
}  # fmt: skip
"""What a function calls, or takes."""


def kernels(called: set[str]) -> str:
    """The functions that are called, and what they need."""
    every = called | {one for name in called for one in NEEDS.get(name, ())}
    return "".join(text for name, text in KERNELS.items() if name in every)
