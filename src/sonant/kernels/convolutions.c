/* Long convolutions on polynomials, and the sums of instance normalisation.

A long convolution costs a fraction of its taps when it is done on polynomials (Toom 1963, Cook 1966, Winograd 1980):
32 steps are evaluated at 16 complex points, each point is one product of channels, and 33 - kernel steps come back. The
points are the roots t of t^16 = i: real steps are a polynomial modulo t^32 + 1, whose roots are these and their
conjugates, so the real steps n and n + 16 make one complex number ("right-angle circular convolution", Nussbaumer
1982), and a Fourier transform of 16 does the evaluation. Points on the unit circle keep all digits, other than the real
points of Winograd's tables. A complex product is three real ones (Karatsuba). Counted in multiplications of channels,
kernel 11 costs 48 / 22 = 2.2 instead of 11, kernel 7 1.8, kernel 3 1.6.

Everything around a convolution happens while its numbers are at hand: scale, shift and snake before it; bias, residual
and the sums that the next instance normalisation needs behind it. */

#include "convolutions.h"

#define STEPS 32 /* of a tile */

typedef struct {
    vec re, im;
} complex;

typedef struct {
    const float *x;  /* (rows, channels) */
    double *moments; /* (portions, 2, channels) */
    int64_t channels;
} summing;

/* add_moments of rows. */
PUBLIC void sonant_moments(const void *call, const portion *own) {
    const summing *s = call;
    const float *x = s->x;
    double *moments = s->moments + own->place * 2 * s->channels;
    int64_t channels = s->channels;
    for (int64_t row = own->begin; row < own->end; row += STEPS) {
        int count = own->end - row < STEPS ? (int)(own->end - row) : STEPS;
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

/* A register to planes of float32 or bfloat16. */
INLINE void put(int halves, void *planes, int64_t place, vec value) {
#if defined(__AVX512BF16__)
    if (halves) {
        store_halves((uint16_t *)planes + place, value);
        return;
    }
#endif
    store((float *)planes + place, value);
}

/* One tile's steps to its points: at each point three planes, the real part a, the imaginary part b, and a + b. */
INLINE void evaluate(int halves, const convolution *c, const float *const steps[STEPS], void *planes, int64_t plane) {
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
                int64_t place = (4 * q + r) * 3 * plane + channel;
                put(halves, planes, place, z[q][r].re + z[q][r].im);
                put(halves, planes, place + plane, z[q][r].re);
                put(halves, planes, place + 2 * plane, z[q][r].im);
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

typedef struct {
    const double *moments;             /* (portions, 2, width) */
    const float *eps, *scale, *shift;  /* (channels), eps of one number where it is the same for all */
    float *factors, *summands;         /* (channels) */
    int64_t portions, width, channels, steps, eps_step;
} norming;

/* An instance normalisation and the scale and shift behind it as one factor and one summand for each channel. Portions
   are added up in their order, so that not a bit depends on which thread was first. */
PUBLIC void sonant_norm(const norming *n) {
    for (int64_t c = 0; c < n->channels; c++) {
        double sum = 0, square = 0;
        for (int64_t p = 0; p < n->portions; p++) {
            sum += n->moments[2 * p * n->width + c];
            square += n->moments[(2 * p + 1) * n->width + c];
        }
        double mean = sum / n->steps, variance = square / n->steps - mean * mean;
        double factor = n->scale[c] / __builtin_sqrt((variance > 0 ? variance : 0 * variance) + n->eps[c * n->eps_step]);
        n->factors[c] = (float)factor;
        n->summands[c] = (float)(n->shift[c] - mean * factor);
    }
}

typedef struct {
    const float *first, *second;
    float *out; /* may be either */
} adding;

/* The sum of two activations, some registers of it. */
PUBLIC void sonant_add(const void *call, const portion *own) {
    const adding *a = call;
    for (int64_t i = own->begin * LANES; i < own->end * LANES; i += LANES)
        store(a->out + i, load(a->first + i) + load(a->second + i));
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

/* Rows of a plane: blocks of 32 are written whole. */
static int64_t filled(const convolution *c, int64_t tiles) { return c->halves ? (tiles + 31) / 32 * 32 : tiles; }

/* Floats of space that sonant_convolve needs for so many tiles. */
PUBLIC int64_t sonant_space(const convolution *c, int64_t tiles) {
    tiles = filled(c, tiles);
    int64_t out = POINTS * 2 * apart(tiles, c->outputs) + tiles * PANEL, in = POINTS * 3 * apart(tiles, c->inputs);
    if (c->halves) return out + in / 2 + 32;
    return out + (c->scales ? in / 2 + POINTS * 3 * (apart(1, c->inputs) + tiles) : in);
}

/* Some tiles. */
PUBLIC void sonant_convolve(const void *call, const portion *own) {
    const convolution *c = call;
    int64_t tile = own->begin, tiles = own->end - tile, fresh = STEPS + 1 - c->kernel;
    int64_t in_plane = apart(filled(c, tiles), c->inputs), out_plane = apart(filled(c, tiles), c->outputs), one = apart(1, c->inputs);
    double *moments = c->moments + own->place * 2 * c->outputs;
    float *out = own->space, *common = out + 2 * POINTS * out_plane, *in = common + tiles * PANEL;
    float *scales = in + 3 * POINTS * in_plane / 2, *exact = scales + 3 * POINTS * tiles; /* in whole numbers only */
    int16_t *whole = (int16_t *)in;
    uint16_t *lines = (uint16_t *)(((uintptr_t)in + 63) / 64 * 64); /* in bfloat16 */
    int64_t residue = 0;
    while (tile >= tiles_of(c, residue)) tile -= tiles_of(c, residue++);
    int64_t first_residue = residue, first_tile = tile;
    for (int64_t i = 0; i < tiles; i++, tile++) {
        while (tile == tiles_of(c, residue)) residue++, tile = 0;
        const float *steps[STEPS];
        for (int j = 0; j < STEPS; j++) {
            int64_t row = residue + c->dilation * (tile * fresh + j - (c->kernel - 1) / 2);
            steps[j] = row >= 0 && row < c->rows ? c->x + row * c->inputs : 0;
            if (steps[j] && j >= c->kernel - 1) expect(steps[j] + c->dilation * fresh * c->inputs, 4 * c->inputs, 1);
        }
        if (c->halves) {
            evaluate(1, c, steps, lines + i * c->inputs, in_plane);
            continue;
        }
        if (!c->scales) {
            evaluate(0, c, steps, in + i * c->inputs, in_plane);
            continue;
        }
        evaluate(0, c, steps, exact, one);
        for (int plane = 0; plane < 3 * POINTS; plane++)
            scales[plane * tiles + i] =
                round_row(exact + plane * one, c->inputs, DEEP, WEIGHT_LEVELS, whole + plane * in_plane + i * c->inputs);
    }
#if defined(__AMX_BF16__) && defined(__linux__)
    if (c->halves) multiply_points(c, tiles, lines, in_plane, out, out_plane);
#endif
    /* (a + ib)(c + id) = (a + b) c - b (c + d)  +  i ((a + b) c + a (d - c)) */
    for (int64_t point = 0; point < POINTS && !c->halves; point++)
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
            int64_t later = at[count] + c->dilation * fresh * c->outputs;
            if (c->residual) expect(c->residual + later, 4 * c->outputs, 1);
            if (c->residual != c->out) expect(c->out + later, 4 * c->outputs, 1);
        }
        interpolate(c, out + i * c->outputs, out_plane, at, count, moments);
    }
}
