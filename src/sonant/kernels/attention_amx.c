/* Attention to a whole sequence in bfloat16 on AMX: 32 queries at a time, and so many keys that their
   scores and weights stay in the first cache (Milakov and Gimelshein 2018: the sums go on as larger scores come). Scores and sums are float32; what is rounded are queries, keys, values, and the weights. */

#if defined(__AMX_BF16__) && defined(__linux__)
#include <string.h>

#include "attention.h"
#include "amx.h"

#define SPAN 256   /* keys at a time: their scores and weights stay in the first cache */
#define FAR 60.0f  /* powers of two by which weights may be above 1 */

INLINE int64_t deep_of(const attention *t) { return (t->size + DEPTH - 1) / DEPTH * DEPTH; }
INLINE int64_t wide_of(const attention *t) { return panels_of(t->keys_known) * PANEL; } /* keys, filled up */

/* A row of so many numbers, rounded; zeros up to a multiple of DEPTH. */
INLINE void round_halves(const float *from, int64_t size, float times, uint16_t *to) {
    for (int64_t i = 0; i < size || i % DEPTH; i += LANES) store_halves(to + i, load_part(from + i, size - i) * times);
}

/* As sonant_pack_heads; keys become (key panels, deep / DEPTH, DEPTH / 2, PANEL, 2), values (size panels, keys / DEPTH,
   DEPTH / 2, PANEL, 2). Space for a row. */
PUBLIC void sonant_amx_pack_heads(const void *call, const portion *own) {
    const attention *t = call;
    int64_t deep = deep_of(t), wide = wide_of(t);
    uint16_t *row = (uint16_t *)own->space;
    for (int64_t head = own->begin; head < own->end; head++) {
        uint32_t *keys = (uint32_t *)t->packed + head * wide * deep / 2;
        uint32_t *values = (uint32_t *)t->packed_values + head * wide * deep / 2;
        memset(keys + (wide - PANEL) * deep / 2, 0, 2 * PANEL * deep);
        for (int64_t r = 0; r < t->keys_known; r++) {
            round_halves(t->keys + r * t->key_row + head * t->size, t->size, 1, row);
            uint32_t *to = keys + r / PANEL * PANEL * deep / 2 + r % PANEL;
            for (int64_t i = 0; i < deep / 2; i++) memcpy(to + i * PANEL, row + 2 * i, sizeof(uint32_t));
        }
        for (int64_t r = 0; r < wide; r += 2)
            for (int64_t i = 0; i < deep; i += LANES) {
                const float *from = t->values + r * t->key_row + head * t->size + i;
                vec first = r < t->keys_known ? load_part(from, t->size - i) : (vec){0};
                vec second = r + 1 < t->keys_known ? load_part(from + t->key_row, t->size - i) : (vec){0};
                uint32_t *to = values + i / PANEL * wide * PANEL / 2 + r / 2 * PANEL + i % PANEL;
                *(unaligned_ints *)to = halves(first) | halves(second) << 16;
            }
    }
}

/* What a row of queries has come to so far. */
typedef struct {
    vec sum;     /* of its weights */
    float shift; /* that its scores are taken less */
} state;

/* A row of SPAN scores or fewer, wide of them with the gap behind the last key, to weights 2^(score - shift). The shift is
   the largest score of the first keys; it grows only where a later one is so much larger that weights would. The factor
   that what was made before is then worth is returned. */
INLINE float weigh_halves(state *s, int first, float *scores, int64_t keys, int64_t wide, uint16_t *weights) {
    for (int64_t i = keys; i < wide; i++) scores[i] = -1e30f; /* no keys */
    vec most = load(scores);
    for (int64_t i = LANES; i < wide; i += LANES) most = larger(most, load(scores + i));
    float factor = 1;
    if (first || _mm512_cmp_ps_mask((__m512)most, (__m512)splat(s->shift + FAR), _CMP_GT_OQ)) {
        float shift = _mm512_reduce_max_ps((__m512)most);
        if (!first) factor = power(splat(s->shift - shift))[0];
        s->sum *= factor;
        s->shift = shift;
    }
    vec shift = splat(s->shift), sum = s->sum;
    for (int64_t i = 0; i < wide; i += PANEL) {
        vec low = power(load(scores + i) - shift), high = power(load(scores + i + LANES) - shift);
        sum += low + high;
        _mm512_storeu_si512(weights + i, (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low));
    }
    s->sum = sum;
    return factor;
}

int64_t halves_space(int64_t size) {
    return BLOCK * (SPAN + (SPAN + DEPTH) / 2 + panels_of(size) * (PANEL + DEPTH / 2)) + 16;
}

float *attend_tiles(int64_t rows, const uint16_t *asked, int64_t row, int64_t count, int64_t size, const uint16_t *keys,
                    const uint16_t *values, float *space) {
    int64_t all = panels_of(count) * PANEL, deep = (size + DEPTH - 1) / DEPTH * DEPTH, apart = SPAN + DEPTH;
    float *scores = (float *)(((uintptr_t)space + 63) / 64 * 64), *made = scores + BLOCK * SPAN;
    uint16_t *weights = (uint16_t *)(made + BLOCK * deep);
    state states[BLOCK] = {0};
    shape_tiles(rows);
    for (int64_t k = 0; k < all; k += SPAN) {
        int64_t wide = all - k < SPAN ? all - k : SPAN, some = count - k < wide ? count - k : wide;
        for (int64_t n = 0; n < wide; n += PANEL)
            multiply_block(HALVES, 0, 0, rows, (const char *)asked, 2 * row, 1, 0, deep / DEPTH, keys + (k + n) * deep,
                           scores + n, SPAN);
        for (int64_t r = 0; r < rows; r++) {
            float factor = weigh_halves(states + r, !k, scores + r * SPAN, some, wide, weights + r * apart);
            if (factor != 1)
                for (int64_t i = 0; i < deep; i += LANES)
                    store(made + r * deep + i, load(made + r * deep + i) * factor);
        }
        for (int64_t n = 0; n < deep; n += PANEL)
            multiply_block(HALVES, k ? made + n : 0, deep, rows, (char *)weights, 2 * apart, 1, 0, wide / DEPTH, values + n * all + k * PANEL,
                           made + n, deep);
    }
    for (int64_t r = 0; r < rows; r++) {
        float share = 1 / total(states[r].sum);
        for (int64_t i = 0; i < deep; i += LANES) store(made + r * deep + i, load(made + r * deep + i) * share);
    }
    return made;
}

void attend_halves(int64_t rows, const float *queries, int64_t row, int64_t count, int64_t size, const uint16_t *keys,
                   const uint16_t *values, float *out, int64_t out_row, float *space) {
    int64_t deep = (size + DEPTH - 1) / DEPTH * DEPTH;
    uint16_t *asked = (uint16_t *)(((uintptr_t)space + 63) / 64 * 64);
    for (int64_t r = 0; r < rows; r++) round_halves(queries + r * row, size, LOG2_E, asked + r * deep);
    const float *made = attend_tiles(rows, asked, deep, count, size, keys, values, (float *)(asked + BLOCK * deep));
    for (int64_t r = 0; r < rows; r++) memcpy(out + r * out_row, made + r * deep, size * sizeof(float));
    _tile_release();
}

/* Floats of space that sonant_amx_attend needs. */
PUBLIC int64_t sonant_amx_attend_space(const attention *t) { return halves_space(t->size); }

/* Blocks of BLOCK rows, counted through all heads. */
PUBLIC int64_t sonant_amx_attend_blocks(const attention *t) { return t->heads * ((t->rows + BLOCK - 1) / BLOCK); }

/* Some blocks. */
PUBLIC void sonant_amx_attend(const void *call, const portion *own) {
    const attention *t = call;
    int64_t blocks = (t->rows + BLOCK - 1) / BLOCK, deep = deep_of(t), wide = wide_of(t);
    for (int64_t block = own->begin; block < own->end; block++) {
        int64_t head = block / blocks, first = block % blocks * BLOCK;
        int64_t rows = t->rows - first < BLOCK ? t->rows - first : BLOCK;
        attend_halves(rows, t->queries + first * t->row + head * t->size, t->row, t->keys_known, t->size,
                      (const uint16_t *)t->packed + head * wide * deep,
                      (const uint16_t *)t->packed_values + head * wide * deep,
                      t->out + first * t->out_row + head * t->size, t->out_row, own->space);
    }
}
#endif
