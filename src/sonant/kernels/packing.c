/* What decoder.c reads of int8: the weights of a checkpoint, and keys and values of what was heard. */

#include "attention.h"
#include "products.h"

#include <string.h>

#define ROUNDED 0x4b400000 /* the bits of ROUNDER */

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
        float largest = 0;
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
        float no_number = 0;
        for (int l = 0; l < LANES; l++) largest = most[l] > largest ? most[l] : largest, no_number += 0 * sum[l];
        float scale = largest > 0 ? largest / BYTE_LEVELS : 1;
        scales[output] = (scale + no_number) * factor;
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

/* Keys and values of some heads. No number makes its scale none. */
PUBLIC void sonant_pack_window(const void *call, const portion *own) {
    const window *w = call;
    int64_t frames = w->frames, size = w->size, head_step = w->head_step, frame_step = w->frame_step;
    float *key_scales = w->key_scales, *value_scales = w->value_scales;
    int64_t panels = panels_of(frames), columns = panels_of(size), deep = even(size);
    for (int64_t head = own->begin; head < own->end; head++) {
        const float *own_keys = w->keys + head * head_step, *own_values = w->values + head * head_step;
        int8_t *key_panels = w->to_keys + head * panels * deep * PANEL, bytes[LANES];
        int8_t *value_panels = w->to_values + head * columns * frames * PANEL;
        memset(key_panels + (panels - 1) * deep * PANEL, 0, deep * PANEL);
        for (int64_t i = 0; i < size; i += LANES) {
            int64_t some = size - i < LANES ? size - i : LANES;
            vec most = splat(1e-30f), sum = {0};
            for (int64_t f = 0; f < frames; f++) {
                vec x = load_part(own_keys + f * frame_step + i, size - i);
                most = larger(most, absolute(x));
                sum += x;
            }
            vec level = (most + 0 * sum) / BYTE_LEVELS;
            for (int64_t l = 0; l < some; l++) key_scales[head * size + i + l] = level[l];
            for (int64_t f = 0; f < frames; f++) {
                int8_t *to = key_panels + f / PANEL * deep * PANEL + f % PANEL * 2 + i * PANEL;
                store_bytes(bytes, rounded(load_part(own_keys + f * frame_step + i, size - i) / level));
                for (int l = 0; l < LANES && i + l < deep; l += 2) memcpy(to + l * PANEL, bytes + l, 2);
            }
        }
        for (int64_t f = 0; f < frames; f++) {
            const float *value = own_values + f * frame_step;
            vec most = splat(1e-30f), sum = {0};
            float largest = 0;
            for (int64_t i = 0; i < size; i += LANES) {
                vec x = load_part(value + i, size - i);
                most = larger(most, absolute(x));
                sum += x;
            }
            for (int l = 0; l < LANES; l++) largest = most[l] > largest ? most[l] : largest;
            float level = value_scales[head * frames + f] = (largest + 0 * total(sum)) / BYTE_LEVELS;
            for (int64_t i = 0; i < columns * PANEL; i += LANES)
                store_bytes(value_panels + (i / PANEL * frames + f) * PANEL + i % PANEL,
                            rounded(load_part(value + i, size - i) / level));
        }
    }
}
