/* Products and convolutions for networks whose activations lie (steps, channels), channels last.

A long convolution costs a fraction of its taps when it is done on polynomials (Toom 1963, Cook 1966, Winograd 1980):
32 steps are evaluated at 16 complex points, each point is one product of channels, and 33 - kernel steps come back. The
points are the roots t of t^16 = i: real steps are a polynomial modulo t^32 + 1, whose roots are these and their
conjugates, so the real steps n and n + 16 make one complex number ("right-angle circular convolution", Nussbaumer
1982), and a Fourier transform of 16 does the evaluation. Points on the unit circle keep all digits, other than the real
points of Winograd's tables. A complex product is three real ones (Karatsuba). Counted in multiplications of channels,
kernel 11 costs 48 / 22 = 2.2 instead of 11, kernel 7 1.8, kernel 3 1.6.

Everything around a convolution happens while its numbers are at hand: scale, shift and snake before it; bias, residual
and the sums that the next instance normalisation needs behind it.

Products are in float32, or in whole numbers of 16 bits where the CPU multiplies those faster: rows are rounded to 8191
levels, each with a scale of its own, weights to 4095, sums are 32 bits and exact.

Compiled once for each instruction set: LANES floats in a register, ROWS rows in a product's tile. Every function works
on a range, so that threads can share a call; none allocates, none keeps anything. */

#include <stdint.h>

#ifndef LANES
#define LANES 8
#define ROWS 6
#endif
#define PANEL (2 * LANES) /* outputs that are computed together; counts of channels are multiples of it */
#define STEPS 32          /* of a tile */
#define POINTS 16
#define DEEP 256 /* inputs of a product at a time: a panel of weights then fits the first cache, and sums fit 32 bits */
#define HIGH 96  /* rows of a product at a time */
#define ROW_LEVELS 4095 /* on each side of zero: 256 x 4095 x 2047 is just below 2^31 */
#define WEIGHT_LEVELS 2047

#ifndef SOURCE
#define SOURCE "" /* digest of this file, given by kernels/build.py */
#endif

#ifdef _WIN32
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif
#define UNROLL _Pragma("GCC unroll 32")
#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float unaligned __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef double doubles __attribute__((vector_size(8 * LANES), aligned(8), may_alias));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef int16_t shorts __attribute__((vector_size(2 * LANES), aligned(2), may_alias));
typedef int32_t unaligned_ints __attribute__((vector_size(4 * LANES), aligned(2), may_alias));
typedef int32_t pair __attribute__((aligned(2), may_alias)); /* two neighbouring inputs */
typedef struct {
    vec re, im;
} complex;

INLINE vec load(const float *from) { return *(const unaligned *)from; }
INLINE void store(float *to, vec value) { *(unaligned *)to = value; }
INLINE vec splat(float value) { return value - (vec){0}; }
#define ROUNDER 12582912.0f /* 1.5 x 2^23: added, it leaves whole numbers */

/* Two neighbours of 16 bits times two, the sum of 32. */
#if defined(__AVX512BW__)
#include <immintrin.h>
#define WHOLE 1
INLINE ints pairs(ints a, ints b) { return (ints)_mm512_madd_epi16((__m512i)a, (__m512i)b); }
#elif defined(__AVX2__)
#include <immintrin.h>
#define WHOLE 1
INLINE ints pairs(ints a, ints b) { return (ints)_mm256_madd_epi16((__m256i)a, (__m256i)b); }
#else /* right, but no faster than float32 */
#define WHOLE 0
INLINE ints pairs(ints a, ints b) { return (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16); }
#endif
#if WHOLE /* else the compiler keeps all products of a step waiting, and runs out of registers */
#define ONE_BY_ONE(sum) __asm__("" : "+x"(sum))
#else
#define ONE_BY_ONE(sum)
#endif

/* ---- products ---- */

/* Rows of numbers: float32 without scales, else int16 with one for each row. A panel of weights alike, (depth, PANEL)
   or (depth / 2, PANEL, 2), with a scale for each output. */
typedef struct {
    const void *numbers;
    const float *scales;
    int64_t stride;
} rows_of;

/* out = init + a w for up to ROWS rows of a; no init is zeros. */
INLINE void float_tile(int64_t rows, int64_t depth, rows_of a, const float *w, const float *init, int64_t init_row,
                       float *out, int64_t out_row) {
    const float *from[ROWS];
    vec left[ROWS], right[ROWS];
    UNROLL for (int r = 0; r < ROWS; r++) {
        int64_t row = r < rows ? r : rows - 1; /* rows that aren't there repeat the last one */
        from[r] = (const float *)a.numbers + row * a.stride;
        left[r] = init ? load(init + row * init_row) : (vec){0};
        right[r] = init ? load(init + row * init_row + LANES) : (vec){0};
    }
    const float *end = w + depth * PANEL;
    for (int64_t k = 0; w < end; w += PANEL, k++) {
        __builtin_prefetch(w + depth * PANEL, 0, 2); /* the next panel lies behind this one */
        vec first = load(w), second = load(w + LANES);
        UNROLL for (int r = 0; r < ROWS; r++) {
            vec one = splat(from[r][k]);
            left[r] += one * first;
            right[r] += one * second;
        }
    }
    UNROLL for (int r = 0; r < ROWS; r++) if (r < rows) {
        store(out + r * out_row, left[r]);
        store(out + r * out_row + LANES, right[r]);
    }
}

INLINE void whole_tile(int64_t rows, int64_t depth, rows_of a, const int16_t *w, const float *scales,
                       const float *init, int64_t init_row, float *out, int64_t out_row) {
    const int16_t *from[ROWS];
    ints left[ROWS], right[ROWS];
    UNROLL for (int r = 0; r < ROWS; r++) {
        from[r] = (const int16_t *)a.numbers + (r < rows ? r : rows - 1) * a.stride;
        left[r] = right[r] = (ints){0};
    }
    const int16_t *end = w + depth * PANEL;
    for (int64_t k = 0; w < end; w += 2 * PANEL, k += 2) {
        __builtin_prefetch(w + depth * PANEL, 0, 2);
        ints first = *(const unaligned_ints *)w, second = *(const unaligned_ints *)(w + PANEL);
        UNROLL for (int r = 0; r < ROWS; r++) {
            ints two = *(const pair *)(from[r] + k) - (ints){0};
            left[r] += pairs(two, first);
            ONE_BY_ONE(left[r]);
            right[r] += pairs(two, second);
            ONE_BY_ONE(right[r]);
        }
    }
    vec first = load(scales), second = load(scales + LANES);
    UNROLL for (int r = 0; r < ROWS; r++) if (r < rows) {
        const float *begin = init + r * init_row;
        vec scale = splat(a.scales[r]);
        vec one = __builtin_convertvector(left[r], vec) * (scale * first);
        vec two = __builtin_convertvector(right[r], vec) * (scale * second);
        store(out + r * out_row, init ? one + load(begin) : one);
        store(out + r * out_row + LANES, init ? two + load(begin + LANES) : two);
    }
}

static void multiply_panel(int64_t rows, int64_t depth, rows_of a, const void *w, const float *scales,
                           const float *init, int64_t init_row, float *out, int64_t out_row) {
    for (int64_t r = 0; r < rows; r += ROWS, out += ROWS * out_row) {
        if (a.scales) {
            whole_tile(rows - r, depth, a, w, scales, init, init_row, out, out_row);
            a.numbers = (const int16_t *)a.numbers + ROWS * a.stride, a.scales += ROWS;
        } else {
            float_tile(rows - r, depth, a, w, init, init_row, out, out_row);
            a.numbers = (const float *)a.numbers + ROWS * a.stride;
        }
        if (init) init += ROWS * init_row;
    }
}

/* Bytes of so many numbers. */
INLINE int64_t size_of(int64_t numbers, const float *scales) { return numbers * (scales ? 2 : 4); }

typedef struct {
    const void *inputs;         /* (steps, inputs): row r hears the steps r stride to r stride + taps - 1 */
    const float *input_scales;  /* (steps) where inputs are int16 */
    const void *weights;        /* (panels, taps, inputs, PANEL), int16: (panels, taps, inputs / 2, PANEL, 2) */
    const float *weight_scales; /* (panels, taps, PANEL) where they are int16 */
    const float *bias;          /* a number for each output */
    float *out;                 /* row r begins at r * out_row */
    int64_t stride, taps, depth, out_row;
} product;

/* Rows [row, row_end) of the outputs [panel, panel_end) x PANEL. */
PUBLIC void sonant_multiply(const product *p, int64_t row, int64_t row_end, int64_t panel, int64_t panel_end) {
    for (int64_t top = row; top < row_end; top += HIGH) {
        int64_t rows = row_end - top < HIGH ? row_end - top : HIGH;
        for (int64_t tap = 0; tap < p->taps; tap++)
            for (int64_t k = 0; k < p->depth; k += DEEP) {
                int64_t depth = p->depth - k < DEEP ? p->depth - k : DEEP, step = top * p->stride + tap;
                rows_of a = {(const char *)p->inputs + size_of(step * p->depth + k, p->input_scales), 0,
                             p->stride * p->depth};
                float scales[HIGH];
                if (p->input_scales) {
                    for (int64_t r = 0; r < rows; r++) scales[r] = p->input_scales[step + r * p->stride];
                    a.scales = scales;
                }
                int begun = tap || k;
                for (int64_t n = panel; n < panel_end; n++) {
                    int64_t place = n * p->taps + tap;
                    float *out = p->out + top * p->out_row + n * PANEL;
                    multiply_panel(rows, depth, a,
                                   (const char *)p->weights + size_of((place * p->depth + k) * PANEL, a.scales),
                                   p->weight_scales + place * PANEL, begun ? out : p->bias + n * PANEL,
                                   begun ? p->out_row : 0, out, p->out_row);
                }
            }
    }
}

/* ---- rounding to 16 bits ---- */

INLINE vec larger(vec a, vec b) {
    ints more = a > b;
    return (vec)((more & (ints)a) | (~more & (ints)b));
}

/* One row of numbers to int16; what one of these is worth is returned. */
INLINE float round_row(const float *from, int64_t count, int16_t *to) {
    vec most = {0};
    for (int64_t i = 0; i < count; i += LANES) most = larger(most, larger(load(from + i), -load(from + i)));
    float largest = 0;
    for (int l = 0; l < LANES; l++) largest = most[l] > largest ? most[l] : largest;
    float times = largest > 0 ? ROW_LEVELS / largest : 0;
    for (int64_t i = 0; i < count; i += LANES)
        *(shorts *)(to + i) = __builtin_convertvector((ints)(load(from + i) * times + ROUNDER), shorts);
    return largest / ROW_LEVELS;
}

/* Rows [row, row_end) of (rows, channels) to int16, channels filled up with zeros to stride, and their scales. */
PUBLIC void sonant_round_rows(const float *x, int64_t channels, int64_t row, int64_t row_end, int16_t *to,
                              int64_t stride, float *scales) {
    for (; row < row_end; row++) {
        const float *from = x + row * channels;
        int16_t *out = to + row * stride;
        int64_t full = channels / LANES * LANES;
        float rest[LANES] = {0}, largest = 0;
        for (int64_t i = 0; i < channels; i++) largest = from[i] > largest ? from[i] : -from[i] > largest ? -from[i] : largest;
        float times = largest > 0 ? ROW_LEVELS / largest : 0;
        for (int64_t i = 0; i < full; i += LANES)
            *(shorts *)(out + i) = __builtin_convertvector((ints)(load(from + i) * times + ROUNDER), shorts);
        for (int64_t i = full; i < channels; i++) rest[i - full] = from[i];
        shorts last = __builtin_convertvector((ints)(load(rest) * times + ROUNDER), shorts);
        for (int64_t i = full; i < stride; i++) out[i] = i - full < LANES ? last[i - full] : 0;
        scales[row] = largest / ROW_LEVELS;
    }
}

/* Panels [panel, panel_end) of (panels, depth, PANEL) to int16 (panels, depth / 2, PANEL, 2) and scales of outputs. */
PUBLIC void sonant_round_panels(const float *from, int64_t depth, int64_t panel, int64_t panel_end, int16_t *to,
                                float *scales) {
    for (; panel < panel_end; panel++)
        for (int half = 0; half < PANEL; half += LANES) {
            const float *w = from + panel * depth * PANEL + half;
            vec most = {0};
            for (int64_t k = 0; k < depth; k++) most = larger(most, larger(load(w + k * PANEL), -load(w + k * PANEL)));
            most = larger(most, splat(1e-30f)); /* an output of zeros */
            store(scales + panel * PANEL + half, most / WEIGHT_LEVELS);
            vec times = WEIGHT_LEVELS / most;
            int16_t *out = to + panel * depth * PANEL + 2 * half;
            for (int64_t k = 0; k < depth; k += 2) {
                ints low = (ints)(load(w + k * PANEL) * times + ROUNDER) & 0xffff;
                ints high = (ints)(load(w + (k + 1) * PANEL) * times + ROUNDER) << 16;
                *(unaligned_ints *)(out + k * PANEL) = low | high;
            }
        }
}

/* ---- sums for instance normalisation ---- */

/* Adds to moments, (2, channels): the sum and the sum of squares of count values, given those of their differences to
   one of them, so that float32 loses nothing where the mean is large. */
INLINE void add_moments(double *moments, int64_t channels, int64_t channel, int count, vec pivot, vec sum, vec square) {
    doubles p = __builtin_convertvector(pivot, doubles), s = __builtin_convertvector(sum, doubles);
    *(doubles *)(moments + channel) += s + count * p;
    *(doubles *)(moments + channels + channel) +=
        __builtin_convertvector(square, doubles) + 2 * p * s + count * p * p;
}

/* The same of rows [row, row_end) of x (rows, channels). */
PUBLIC void sonant_moments(const float *x, int64_t channels, int64_t row, int64_t row_end, double *moments) {
    for (; row < row_end; row += STEPS) {
        int count = row_end - row < STEPS ? (int)(row_end - row) : STEPS;
        for (int64_t c = 0; c < channels; c += LANES) {
            const float *from = x + row * channels + c;
            vec pivot = load(from), sum = {0}, square = {0};
            for (int i = 1; i < count; i++) {
                vec apart = load(from + i * channels) - pivot;
                sum += apart;
                square += apart * apart;
            }
            add_moments(moments, channels, c, count, pivot, sum, square);
        }
    }
}

/* ---- convolutions ---- */

typedef struct {
    const float *x;        /* (rows, inputs); 0 beyond both ends, after the activation */
    const float *dress;    /* (4, inputs): scale, shift; snake's alpha / pi and 1 / alpha */
    const void *weights;   /* (POINTS, outputs / PANEL, 3, inputs, PANEL) as sonant_points makes them, or as int16 */
    const float *scales;   /* (POINTS, outputs / PANEL, 3, PANEL) where they are int16 */
    const float *bias;     /* (outputs) or none */
    const float *residual; /* (rows, outputs), added; or none. May be out */
    float *out;            /* (rows, outputs) */
    int64_t rows, inputs, outputs, kernel, dilation;
} convolution;

/* exp(i pi n / 32): what makes the steps n and n + 16, as one complex number, a polynomial modulo t^16 - 1 */
static const float TWIST[POINTS][2] = {
    {1.0f, 0.0f},           {0.99518473f, 0.09801714f}, {0.98078528f, 0.19509032f}, {0.95694034f, 0.29028468f},
    {0.92387953f, 0.38268343f}, {0.88192126f, 0.47139674f}, {0.83146961f, 0.55557023f}, {0.77301045f, 0.63439328f},
    {0.70710678f, 0.70710678f}, {0.63439328f, 0.77301045f}, {0.55557023f, 0.83146961f}, {0.47139674f, 0.88192126f},
    {0.38268343f, 0.92387953f}, {0.29028468f, 0.95694034f}, {0.19509032f, 0.98078528f}, {0.09801714f, 0.99518473f}};

INLINE complex turned(complex z, float re, float im) { return (complex){z.re * re - z.im * im, z.re * im + z.im * re}; }

/* Times exp(i pi q n / 8); n may be negative. */
INLINE complex twiddled(complex z, int q, int n) {
    int place = 4 * q * (n < 0 ? -n : n), quarter = place / 16, rest = place % 16;
    float re = TWIST[rest][0], im = TWIST[rest][1];
    float c = quarter == 0 ? re : quarter == 1 ? -im : -re, s = quarter == 0 ? im : quarter == 1 ? re : -im;
    return place ? turned(z, c, n < 0 ? -s : s) : z;
}

/* Fourier transform of four with exp(sign 2 pi i / 4), in place. */
INLINE void four(complex z[4], int sign) {
    vec even_re = z[0].re + z[2].re, even_im = z[0].im + z[2].im, away_re = z[0].re - z[2].re;
    vec away_im = z[0].im - z[2].im, odd_re = z[1].re + z[3].re, odd_im = z[1].im + z[3].im;
    vec side_re = z[3].im - z[1].im, side_im = z[1].re - z[3].re; /* i (z1 - z3) */
    if (sign < 0) side_re = -side_re, side_im = -side_im;
    z[0] = (complex){even_re + odd_re, even_im + odd_im};
    z[1] = (complex){away_re + side_re, away_im + side_im};
    z[2] = (complex){even_re - odd_re, even_im - odd_im};
    z[3] = (complex){away_re - side_re, away_im - side_im};
}

/* x + sin(alpha x)^2 / alpha (Ziyin et al. 2020): sin^2 has period pi; the polynomial's error is 5e-7, see
   models/kokoro/graph_layers.py */
INLINE vec snake(vec x, vec alpha_by_pi, vec one_by_alpha) {
    vec turns = x * alpha_by_pi;
    vec rest = turns - ((turns + ROUNDER) - ROUNDER);
    vec square = rest * rest;
    vec made = 10.581284043494835f * square - 29.426264427835253f;
    made = made * square + 42.643424072481686f;
    made = made * square - 32.4651393691662f;
    made = made * square + 9.869524808477726f;
    return x + made * square * one_by_alpha;
}

/* One tile's steps to its points: at each point three planes, the real part a, the imaginary part b, and a + b. */
static void evaluate(const convolution *c, const float *const steps[STEPS], float *planes, int64_t plane) {
    for (int64_t channel = 0; channel < c->inputs; channel += LANES) {
        vec scale = load(c->dress + channel), shift = load(c->dress + c->inputs + channel);
        vec turns = load(c->dress + 2 * c->inputs + channel), inverse = load(c->dress + 3 * c->inputs + channel);
        vec heard[STEPS];
        for (int j = 0; j < STEPS; j++)
            heard[j] = steps[j] ? snake(load(steps[j] + channel) * scale + shift, turns, inverse) : (vec){0};
        complex z[4][4];
        UNROLL for (int n = 0; n < 4; n++) {
            complex column[4];
            UNROLL for (int q = 0; q < 4; q++) {
                int at = n + 4 * q;
                column[q] = turned((complex){heard[at], heard[at + POINTS]}, TWIST[at][0], TWIST[at][1]);
            }
            four(column, 1);
            UNROLL for (int q = 0; q < 4; q++) z[q][n] = column[q];
        }
        UNROLL for (int q = 0; q < 4; q++) {
            UNROLL for (int n = 1; n < 4; n++) z[q][n] = twiddled(z[q][n], q, n);
            four(z[q], 1);
            UNROLL for (int r = 0; r < 4; r++) { /* point q + 4 r */
                float *to = planes + (4 * q + r) * 3 * plane + channel;
                store(to, z[q][r].re + z[q][r].im);
                store(to + plane, z[q][r].re);
                store(to + 2 * plane, z[q][r].im);
            }
        }
    }
}

/* One tile's points, real and imaginary planes, to its first count steps. */
static void interpolate(const convolution *c, const float *planes, int64_t plane, const int64_t at[STEPS], int count,
                        double *moments) {
    for (int64_t channel = 0; channel < c->outputs; channel += LANES) {
        complex z[4][4];
        vec steps[STEPS];
        UNROLL for (int q = 0; q < 4; q++) {
            UNROLL for (int r = 0; r < 4; r++) {
                const float *from = planes + (4 * q + r) * 2 * plane + channel;
                z[q][r] = (complex){load(from), load(from + plane)};
            }
            four(z[q], -1);
            UNROLL for (int n = 1; n < 4; n++) z[q][n] = twiddled(z[q][n], q, -n);
        }
        UNROLL for (int n = 0; n < 4; n++) {
            complex column[4] = {z[0][n], z[1][n], z[2][n], z[3][n]};
            four(column, -1);
            UNROLL for (int q = 0; q < 4; q++) {
                complex step = turned(column[q], TWIST[n + 4 * q][0], -TWIST[n + 4 * q][1]);
                steps[n + 4 * q] = step.re;
                steps[n + 4 * q + POINTS] = step.im;
            }
        }
        vec bias = c->bias ? load(c->bias + channel) : (vec){0}, pivot = {0}, sum = {0}, square = {0};
        for (int i = 0; i < count; i++) { /* the first kernel - 1 steps are mixed up with the end of the tile */
            vec value = steps[c->kernel - 1 + i] + bias;
            if (c->residual) value += load(c->residual + at[i] + channel);
            store(c->out + at[i] + channel, value);
            if (!i) pivot = value;
            vec apart = value - pivot;
            sum += apart;
            square += apart * apart;
        }
        add_moments(moments, c->outputs, channel, count, pivot, sum, square);
    }
}

/* The weights of a convolution at the points: w is (kernel, inputs, outputs), last tap first; roots (2, POINTS, kernel)
   the real and imaginary parts of the points' powers; made is laid out as convolution.weights. */
PUBLIC void sonant_points(const float *w, const float *roots, int64_t kernel, int64_t inputs, int64_t outputs,
                          int64_t input, int64_t input_end, float *made) {
    for (; input < input_end; input++)
        for (int64_t n = 0; n < outputs; n += LANES) {
            const float *from = w + input * outputs + n;
            for (int64_t point = 0; point < POINTS; point++) {
                vec re = {0}, im = {0};
                for (int64_t k = 0; k < kernel; k++) {
                    vec tap = load(from + k * inputs * outputs);
                    re += roots[point * kernel + k] * tap;
                    im += roots[(POINTS + point) * kernel + k] * tap;
                }
                float *to = made + ((point * (outputs / PANEL) + n / PANEL) * 3 * inputs + input) * PANEL + n % PANEL;
                store(to, re);
                store(to + inputs * PANEL, im - re);
                store(to + 2 * inputs * PANEL, -re - im);
            }
        }
}

/* Steps of one residue modulo the dilation are a convolution without one. */
static int64_t tiles_of(const convolution *c, int64_t residue) {
    int64_t steps = (c->rows - residue + c->dilation - 1) / c->dilation, fresh = STEPS + 1 - c->kernel;
    return (steps + fresh - 1) / fresh;
}

PUBLIC int64_t sonant_tiles(const convolution *c) {
    int64_t count = 0;
    for (int64_t residue = 0; residue < c->dilation; residue++) count += tiles_of(c, residue);
    return count;
}

/* Floats between two planes: one cache line more than they hold, else all planes share a set of the first cache. */
static int64_t apart(int64_t tiles, int64_t channels) { return tiles * channels + 16; }

/* Floats of space that sonant_convolve needs for so many tiles. */
PUBLIC int64_t sonant_space(const convolution *c, int64_t tiles) {
    int64_t out = POINTS * 2 * apart(tiles, c->outputs) + tiles * PANEL, in = POINTS * 3 * apart(tiles, c->inputs);
    return out + (c->scales ? in / 2 + POINTS * 3 * (apart(1, c->inputs) + tiles) : in);
}

/* Tiles [tile, tile_end); moments as in add_moments. */
PUBLIC void sonant_convolve(const convolution *c, int64_t tile, int64_t tile_end, float *space, double *moments) {
    int64_t tiles = tile_end - tile, fresh = STEPS + 1 - c->kernel;
    int64_t in_plane = apart(tiles, c->inputs), out_plane = apart(tiles, c->outputs), one = apart(1, c->inputs);
    float *out = space, *common = out + 2 * POINTS * out_plane, *in = common + tiles * PANEL;
    float *scales = in + 3 * POINTS * in_plane / 2, *exact = scales + 3 * POINTS * tiles; /* in whole numbers only */
    int16_t *whole = (int16_t *)in;
    int64_t residue = 0;
    while (tile >= tiles_of(c, residue)) tile -= tiles_of(c, residue++);
    int64_t first_residue = residue, first_tile = tile;
    for (int64_t i = 0; i < tiles; i++, tile++) {
        while (tile == tiles_of(c, residue)) residue++, tile = 0;
        const float *steps[STEPS];
        for (int j = 0; j < STEPS; j++) {
            int64_t row = residue + c->dilation * (tile * fresh + j - (c->kernel - 1) / 2);
            steps[j] = row >= 0 && row < c->rows ? c->x + row * c->inputs : 0;
        }
        if (!c->scales) {
            evaluate(c, steps, in + i * c->inputs, in_plane);
            continue;
        }
        evaluate(c, steps, exact, one);
        for (int plane = 0; plane < 3 * POINTS; plane++)
            scales[plane * tiles + i] =
                round_row(exact + plane * one, c->inputs, whole + plane * in_plane + i * c->inputs);
    }
    /* (a + ib)(c + id) = (a + b) c - b (c + d)  +  i ((a + b) c + a (d - c)) */
    for (int64_t point = 0; point < POINTS; point++)
        for (int64_t n = 0; n < c->outputs; n += PANEL) {
            float *re = out + 2 * point * out_plane + n, *im = re + out_plane;
            for (int part = 0; part < 3; part++) {
                int64_t plane = 3 * point + part, panel = (point * c->outputs + n) / PANEL * 3 + part;
                rows_of a = {(const char *)in + size_of(plane * in_plane, c->scales),
                             c->scales ? scales + plane * tiles : 0, c->inputs};
                float *to = part == 0 ? common : part == 1 ? im : re;
                int64_t to_row = part ? c->outputs : PANEL;
                for (int64_t k = 0; k < c->inputs; k += DEEP) {
                    int64_t depth = c->inputs - k < DEEP ? c->inputs - k : DEEP;
                    rows_of some = {(const char *)a.numbers + size_of(k, c->scales), a.scales, a.stride};
                    multiply_panel(tiles, depth, some,
                                   (const char *)c->weights + size_of((panel * c->inputs + k) * PANEL, c->scales),
                                   c->scales + panel * PANEL, k ? to : part ? common : 0, k ? to_row : PANEL, to,
                                   to_row);
                }
            }
        }
    residue = first_residue, tile = first_tile;
    for (int64_t i = 0; i < tiles; i++, tile++) {
        while (tile == tiles_of(c, residue)) residue++, tile = 0;
        int64_t at[STEPS];
        int count = 0;
        for (; count < fresh; count++) {
            int64_t row = residue + c->dilation * (tile * fresh + count);
            if (row >= c->rows) break;
            at[count] = row * c->outputs;
        }
        interpolate(c, out + i * c->outputs, out_plane, at, count, moments);
    }
}

/* What the caller must know: of channels, the number that all counts are multiples of; of what source this is. */
PUBLIC int64_t sonant_panel(void) { return PANEL; }
PUBLIC int64_t sonant_whole(void) { return WHOLE; } /* whether int16 is there, and faster than float32 */
PUBLIC const char *sonant_source(void) { return SOURCE; }
