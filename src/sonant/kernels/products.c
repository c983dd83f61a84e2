/* Products of rows with a matrix, in float32, or in whole numbers of 16 bits where the CPU multiplies those faster.
   Weights are rounded to 4095 levels on each side of zero, each row to as many as keep its sums below 2^31, up to 32767:
   what a sum may come to is known from the row's absolute sum, so it can't overflow. And what is done to a row on its way
   into a product: norm, activation, rounding. */

#include "products.h"

#include <math.h>
#include <string.h>

#define HIGH 96 /* rows of a product at a time */
#define ROW_LEVELS 32767.0f

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
            left[r] = pairs(left[r], two, first);
            ONE_BY_ONE(left[r]);
            right[r] = pairs(right[r], two, second);
            ONE_BY_ONE(right[r]);
        }
    }
    vec first = load(scales), second = load(scales + LANES);
    UNROLL for (int r = 0; r < ROWS; r++) if (r < rows) {
        const float *begin = init ? init + r * init_row : 0;
        vec scale = splat(a.scales[r]);
        vec one = __builtin_convertvector(left[r], vec) * (scale * first);
        vec two = __builtin_convertvector(right[r], vec) * (scale * second);
        store(out + r * out_row, begin ? one + load(begin) : one);
        store(out + r * out_row + LANES, begin ? two + load(begin + LANES) : two);
    }
}

void multiply_panel(int64_t rows, int64_t depth, rows_of a, const void *w, const float *scales, const float *init,
                    int64_t init_row, float *out, int64_t out_row) {
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

PUBLIC void sonant_multiply(const void *call, const portion *own) {
    const product *p = call;
    area mine = area_of(p, own);
    for (int64_t top = mine.row; top < mine.row_end; top += HIGH) {
        int64_t rows = mine.row_end - top < HIGH ? mine.row_end - top : HIGH;
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
                int64_t deeps = (p->depth + DEEP - 1) / DEEP, begin = (tap * p->depth + k) * p->panels;
                for (int64_t n = mine.panel; n < mine.panel_end; n++) {
                    int64_t place = (tap * deeps + k / DEEP) * p->panels + n;
                    float *out = p->out + top * p->out_row + n * PANEL;
                    const float *init = out, *bias = p->bias + n * PANEL;
                    if (!tap && !k && !p->more) init = bias;
                    if (!tap && !k && p->more)
                        for (int64_t r = 0; r < rows; r++)
                            for (int l = 0; l < PANEL; l += LANES)
                                store(out + r * p->out_row + l, load(out + r * p->out_row + l) + load(bias + l));
                    multiply_panel(rows, depth, a,
                                   (const char *)p->weights + size_of((begin + n * depth) * PANEL, a.scales),
                                   p->weight_scales + place * PANEL, init, init == bias ? 0 : p->out_row, out,
                                   p->out_row);
                }
            }
    }
}

float round_row(const float *from, int64_t count, int64_t deep, float levels, int16_t *to) {
    vec most = {0};
    float sum = 0, everything = 0, most_sum = 2147483647.0f / levels - deep; /* rounded up to halves */
    for (int64_t k = 0; k < count; k += deep) {
        vec part = {0};
        for (int64_t i = k; i < count && i < k + deep; i += LANES) {
            vec size = absolute(load(from + i));
            most = larger(most, size);
            part += size;
        }
        float all = total(part);
        sum = all > sum ? all : sum;
        everything += all;
    }
    float peak = largest(most);
    if (peak < 1e-30f || !(everything < HUGE_VALF)) { /* silence; or no numbers, which whole ones can't say */
        memset(to, 0, count * sizeof(int16_t));
        return everything < HUGE_VALF ? 0 : NAN;
    }
    float scale = larger(splat(peak / ROW_LEVELS), splat(sum / most_sum))[0], times = 1 / scale;
    for (int64_t i = 0; i < count; i += LANES)
        *(shorts *)(to + i) = __builtin_convertvector((ints)(load(from + i) * times + ROUNDER), shorts);
    return scale;
}

void round_panel(const float *from, int64_t depth, int16_t *to, float *scales) {
    for (int half = 0; half < PANEL; half += LANES) {
        const float *w = from + half;
        vec most = splat(1e-30f), sum = {0}; /* an output of zeros has a level, too */
        for (int64_t k = 0; k < depth; k++) {
            most = larger(most, absolute(load(w + k * PANEL)));
            sum += load(w + k * PANEL);
        }
        store(scales + half, (most + 0 * sum) / WEIGHT_LEVELS); /* no number stays none */
        vec times = WEIGHT_LEVELS / most;
        for (int64_t k = 0; k < depth; k += 2) {
            ints low = (ints)(load(w + k * PANEL) * times + ROUNDER) & 0xffff;
            ints high = (ints)(load(w + (k + 1) * PANEL) * times + ROUNDER) << 16;
            *(unaligned_ints *)(to + k * PANEL + 2 * half) = low | high;
        }
    }
}

/* ---- rows on their way into a product ---- */

void dress_row(const dress *how, float *row, int64_t channels, int64_t count) {
    vec mean = {0}, factor = splat(1);
    if (how->epsilon >= 0) {
        vec sum = {0}, square = {0};
        for (int64_t i = 0; i < count; i += LANES) sum += load(row + i);
        mean = splat(total(sum) / channels);
        for (int64_t i = channels; i < count; i++) row[i] = mean[0]; /* no distance from it; scale and shift are 0 */
        for (int64_t i = 0; i < count; i += LANES) {
            vec apart = load(row + i) - mean;
            square += apart * apart;
        }
        factor = splat(1 / __builtin_sqrtf(total(square) / channels + how->epsilon));
    }
    for (int64_t i = 0; i < count; i += LANES) {
        vec x = load(row + i);
        if (how->scale) x = (x - mean) * factor * load(how->scale + i) + load(how->shift + i);
        if (how->activation == GELU) x = gelu(x);
        if (how->activation == TANH_GELU) x = tanh_gelu(x);
        if (how->activation == LEAKY) x = larger(x, x * how->slope);
        store(row + i, x);
    }
}

enum { FLOAT32, INT16, BFLOAT16, TWICE };

/* Rows to a kind. Twice are rows in bfloat16, and behind each what it is off by. Space for a row, up to a multiple of
   LANES. */
PUBLIC void sonant_frame(const void *call, const portion *own) {
    const framing *f = call;
    int64_t channels = f->channels, kind = f->kind, stride = f->stride;
    int64_t count = (channels + LANES - 1) / LANES * LANES, size = kind == FLOAT32 ? 4 : 2;
    float *space = own->space;
    for (int64_t row = own->begin; row < own->end; row++) {
        char *out = (char *)f->to + row * stride * size;
        memset(space + channels, 0, (count - channels) * sizeof(float));
        memcpy(space, (const float *)f->x + row * f->x_row, channels * sizeof(float));
        if (f->how->scale || f->how->activation) dress_row(f->how, space, channels, count);
        if (kind == INT16) f->scales[row] = round_row(space, count, DEEP, WEIGHT_LEVELS, (int16_t *)space); /* behind what is read */
#if defined(__AVX512BF16__)
        if (kind == BFLOAT16)
            for (int64_t i = 0; i < count; i += LANES) store_halves((uint16_t *)space + i, load(space + i));
        if (kind == TWICE) {
            uint16_t *rounded = (uint16_t *)out, *off = rounded + stride / 2;
            memset(out, 0, stride * size);
            for (int64_t i = 0; i < count; i += LANES) {
                vec value = load(space + i);
                store_halves(rounded + i, value);
                store_halves(off + i, value - (vec)(halves(value) << 16));
            }
            continue;
        }
#endif
        int64_t filled = stride < count ? stride : count;
        memcpy(out, space, filled * size);
        memset(out + filled * size, 0, (stride - filled) * size);
    }
}

/* What the caller must know: the number that counts of channels are multiples of; how many inputs are multiplied at a
   time, for weights lie so; whether int16 is faster than float32; and of what source this is. */
PUBLIC int64_t sonant_panel(void) { return PANEL; }
PUBLIC int64_t sonant_deep(void) { return DEEP; }
PUBLIC int64_t sonant_whole(void) { return WHOLE; }
PUBLIC const char *sonant_source(void) { return SOURCE; }
