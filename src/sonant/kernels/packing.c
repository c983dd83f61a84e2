/* What decoder.c reads of int8: the weights of a checkpoint, and keys and values of what was heard. */

#include "attention.h"
#include "products.h"

#include <string.h>

#define ROUNDED 0x4b400000 /* the bits of ROUNDER */
#define TOGETHER 4         /* registers of channels */
#define FRAMES_AHEAD 8     /* of keys and values are asked for */

enum { FROM_FLOAT32, FROM_FLOAT16, FROM_BFLOAT16 };

/* A register of stored numbers. */
INLINE vec stored(const void *from, int64_t place, int64_t kind) {
    if (kind == FROM_FLOAT32) return load((const float *)from + place);
    const uint16_t *halves = (const uint16_t *)from + place;
    if (kind == FROM_FLOAT16) return load_float16(halves);
    return (vec)(__builtin_convertvector(*(const unaligned_shorts *)halves, ints) << 16);
}

INLINE ints rounded(vec x) { return (ints)(x + ROUNDER) - ROUNDED; }

/* Rows [row, row_end) of a matrix (outputs, inputs) as it is stored, to int8 in panels of a depth; row 0 becomes output
   first of them. What a row is worth goes to scales, times a factor. Space for a row, up to a multiple of LANES. */
PUBLIC void sonant_pack_rows(const void *from, int64_t kind, int64_t inputs, int64_t row, int64_t row_end, int64_t first,
                             int64_t depth, float factor, float *space, int8_t *to, float *scales) {
    int64_t whole = inputs / LANES * LANES;
    for (; row < row_end; row++) {
        int64_t output = first + row;
        vec most = {0}, sum = {0};
        for (int64_t i = 0; i < whole; i += LANES) store(space + i, stored(from, row * inputs + i, kind));
        if (whole < inputs) { /* nothing behind the row is read */
            char last[4 * LANES] = {0};
            int64_t bytes = kind == FROM_FLOAT32 ? 4 : 2;
            memcpy(last, (const char *)from + (row * inputs + whole) * bytes, (inputs - whole) * bytes);
            store(space + whole, stored(last, 0, kind));
        }
        int64_t count = (inputs + LANES - 1) / LANES * LANES;
        for (int64_t i = 0; i < count; i += LANES) {
            most = larger(most, absolute(load(space + i)));
            sum += load(space + i);
        }
        float scale = largest(most) > 0 ? largest(most) / BYTE_LEVELS : 1;
        scales[output] = (scale + total(0 * sum)) * factor;
        int16_t *panel = (int16_t *)(to + output / PANEL * PANEL * depth) + output % PANEL;
        for (int64_t i = 0; i < count; i += LANES) {
            int8_t bytes[LANES];
            store_bytes(bytes, rounded(load(space + i) / scale));
            for (int l = 0; l < LANES && i + l < depth; l += 2) memcpy(panel + (i + l) / 2 * PANEL, bytes + l, 2);
        }
    }
}

typedef struct {
    const float *keys, *values; /* of a layer and window: frame f of head h begins at h head_step + f frame_step */
    int8_t *to_keys;            /* these four as step has them */
    float *key_scales;
    int8_t *to_values;
    float *value_scales;
    int64_t head_step, frame_step, frames, size;
} window;

/* Keys of a head, with a scale for each channel: so many registers of channels at a time, whole lines of each frame. */
static void pack_keys(const window *w, const float *keys, int8_t *to, float *scales) {
    int64_t size = w->size, deep = even(size);
    memset(to + w->frames / PANEL * deep * PANEL, 0, w->frames % PANEL ? deep * PANEL : 0); /* of keys that aren't there */
    for (int64_t i = 0; i < size; i += TOGETHER * LANES) {
        vec most[TOGETHER], none[TOGETHER], times[TOGETHER];
        UNROLL for (int k = 0; k < TOGETHER; k++) most[k] = splat(1e-30f), none[k] = (vec){0};
        for (int64_t f = 0; f < w->frames; f++) {
            const float *key = keys + f * w->frame_step + i;
            expect(key + FRAMES_AHEAD * w->frame_step, TOGETHER * LANES * sizeof(float), 1);
            UNROLL for (int k = 0; k < TOGETHER; k++) {
                vec x = load_part(key + k * LANES, size - i - k * LANES);
                most[k] = larger(most[k], absolute(x));
                none[k] += 0 * x;
            }
        }
        UNROLL for (int k = 0; k < TOGETHER; k++) {
            vec level = (most[k] + none[k]) / BYTE_LEVELS;
            times[k] = 1.0f / level;
            for (int64_t l = 0; l < LANES && i + k * LANES + l < size; l++) scales[i + k * LANES + l] = level[l];
        }
        for (int64_t f = 0; f < w->frames; f++) {
            const float *key = keys + f * w->frame_step + i;
            int8_t *panel = to + (f / PANEL * deep + i) * PANEL + f % PANEL * 2, bytes[TOGETHER * LANES];
            expect(key + FRAMES_AHEAD * w->frame_step, TOGETHER * LANES * sizeof(float), 1);
            UNROLL for (int k = 0; k < TOGETHER; k++)
                store_bytes(bytes + k * LANES, rounded(load_part(key + k * LANES, size - i - k * LANES) * times[k]));
            for (int64_t l = 0; l < TOGETHER * LANES && i + l < deep; l += 2) memcpy(panel + l * PANEL, bytes + l, 2);
        }
    }
}

/* Values of a head, with a scale for each frame. */
static void pack_values(const window *w, const float *values, int8_t *to, float *scales) {
    int64_t size = w->size, frames = even(w->frames), count = panels_of(size) * PANEL;
    for (int64_t f = 0; f < frames; f += 2) {
        const float *two[2] = {values + f * w->frame_step, values + f * w->frame_step};
        float times[2] = {0};
        for (int one = 0; one < 2 && f + one < w->frames; one++) {
            const float *value = two[one] += one * w->frame_step;
            expect(value + FRAMES_AHEAD * w->frame_step, size * sizeof(float), 1);
            vec most = splat(1e-30f), none = {0};
            for (int64_t i = 0; i < size; i += LANES) {
                vec x = load_part(value + i, size - i);
                most = larger(most, absolute(x));
                none += 0 * x;
            }
            scales[f + one] = (largest(most) + total(none)) / BYTE_LEVELS;
            times[one] = 1 / scales[f + one];
        }
        for (int64_t i = 0; i < count; i += LANES) {
            ints low = rounded(load_part(two[0] + i, size - i) * times[0]) & 0xff;
            ints high = rounded(load_part(two[1] + i, size - i) * times[1]) << 8;
            *(shorts *)(to + (i / PANEL * frames + f) * PANEL + i % PANEL * 2) = __builtin_convertvector(low | high, shorts);
        }
    }
}

/* Keys and values of some heads. No number makes its scale none. */
PUBLIC void sonant_pack_window(const void *call, const portion *own) {
    const window *w = call;
    int64_t keys = panels_of(w->frames) * PANEL * even(w->size), values = panels_of(w->size) * PANEL * even(w->frames);
    for (int64_t head = own->begin; head < own->end; head++) {
        int64_t from = head * w->head_step;
        pack_keys(w, w->keys + from, w->to_keys + head * keys, w->key_scales + head * w->size);
        pack_values(w, w->values + from, w->to_values + head * values, w->value_scales + head * w->frames);
    }
}
