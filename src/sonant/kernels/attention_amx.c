/* Attention of a whole sequence to itself in bfloat16 on AMX: 32 queries at a time, whose scores and weights stay in the
   second cache. Scores and sums are float32; what is rounded are queries, keys, values, and the weights. */

#if defined(__AMX_BF16__) && defined(__linux__)
#include <string.h>

#include "attention.h"
#include "amx.h"

INLINE int64_t deep_of(const attention *t) { return (t->size + DEPTH - 1) / DEPTH * DEPTH; }
INLINE int64_t wide_of(const attention *t) { return panels_of(t->rows) * PANEL; } /* keys, filled up */

/* A row of so many numbers, rounded; zeros up to a multiple of DEPTH. */
INLINE void round_halves(const float *from, int64_t size, float times, uint16_t *to) {
    for (int64_t i = 0; i < size || i % DEPTH; i += LANES) store_halves(to + i, load_part(from + i, size - i) * times);
}

/* As sonant_pack_heads; keys become (key panels, deep / DEPTH, DEPTH / 2, PANEL, 2), values (size panels, keys / DEPTH,
   DEPTH / 2, PANEL, 2). Space for a row. */
PUBLIC void sonant_amx_pack_heads(const attention *t, int64_t head, int64_t head_end, float *space) {
    int64_t deep = deep_of(t), wide = wide_of(t);
    uint16_t *row = (uint16_t *)space;
    for (; head < head_end; head++) {
        uint32_t *keys = (uint32_t *)t->packed + head * wide * deep / 2;
        uint32_t *values = (uint32_t *)t->packed_values + head * wide * deep / 2;
        memset(keys + (wide - PANEL) * deep / 2, 0, 2 * PANEL * deep);
        for (int64_t r = 0; r < t->rows; r++) {
            round_halves(t->keys + r * t->row + head * t->size, t->size, 1, row);
            uint32_t *to = keys + r / PANEL * PANEL * deep / 2 + r % PANEL;
            for (int64_t i = 0; i < deep / 2; i++) memcpy(to + i * PANEL, row + 2 * i, sizeof(uint32_t));
        }
        for (int64_t r = 0; r < wide; r += 2)
            for (int64_t i = 0; i < deep; i += LANES) {
                const float *from = t->values + r * t->row + head * t->size + i;
                vec first = r < t->rows ? load_part(from, t->size - i) : (vec){0};
                vec second = r + 1 < t->rows ? load_part(from + t->row, t->size - i) : (vec){0};
                uint32_t *to = values + i / PANEL * wide * PANEL / 2 + r / 2 * PANEL + i % PANEL;
                *(unaligned_ints *)to = halves(first) | halves(second) << 16;
            }
    }
}

/* A row of scores to weights, 2^(score - largest); their sum is returned. */
INLINE float weigh_halves(float *scores, int64_t keys, int64_t wide, uint16_t *weights) {
    for (int64_t i = keys; i < wide; i++) scores[i] = -1e30f; /* no keys */
    vec most = splat(-1e30f), sum = {0};
    for (int64_t i = 0; i < wide; i += LANES) most = larger(most, load(scores + i));
    vec largest = splat(_mm512_reduce_max_ps((__m512)most));
    for (int64_t i = 0; i < wide; i += LANES) {
        vec weight = power(load(scores + i) - largest);
        sum += weight;
        store_halves(weights + i, weight);
    }
    return total(sum);
}

int64_t halves_space(int64_t keys, int64_t size) {
    int64_t wide = panels_of(keys) * PANEL, deep = (size + DEPTH - 1) / DEPTH * DEPTH;
    return BLOCK * (wide + (wide + DEPTH) / 2 + deep / 2) + 16;
}

void attend_halves(int64_t rows, const float *queries, int64_t row, int64_t count, int64_t size, const uint16_t *keys,
                   const uint16_t *values, float *out, int64_t out_row, float *space) {
    int64_t wide = panels_of(count) * PANEL, deep = (size + DEPTH - 1) / DEPTH * DEPTH, apart = wide + DEPTH;
    float *scores = (float *)(((uintptr_t)space + 63) / 64 * 64);
    uint16_t *weights = (uint16_t *)(scores + BLOCK * wide), *asked = weights + BLOCK * apart;
    for (int64_t r = 0; r < rows; r++) /* times log2 e, for powers of two */
        round_halves(queries + r * row, size, 1.44269504f, asked + r * deep);
    shape_tiles(rows);
    for (int64_t n = 0; n < wide; n += PANEL)
        multiply_block(rows, (char *)asked, 2 * deep, 1, 0, deep, keys + n * deep, scores + n, wide);
    float shares[BLOCK], made[BLOCK][PANEL] __attribute__((aligned(64)));
    for (int64_t r = 0; r < rows; r++) shares[r] = 1 / weigh_halves(scores + r * wide, count, wide, weights + r * apart);
    for (int64_t n = 0; n < size; n += PANEL) {
        int64_t some = size - n < PANEL ? size - n : PANEL;
        multiply_block(rows, (char *)weights, 2 * apart, 1, 0, wide, values + n * wide, made[0], PANEL);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < some; i++) out[r * out_row + n + i] = made[r][i] * shares[r];
    }
    _tile_release();
}

/* Floats of space that sonant_amx_attend needs. */
PUBLIC int64_t sonant_amx_attend_space(const attention *t) { return halves_space(t->rows, t->size); }

/* Blocks of BLOCK rows, counted through all heads. */
PUBLIC int64_t sonant_amx_attend_blocks(const attention *t) { return t->heads * ((t->rows + BLOCK - 1) / BLOCK); }

/* Blocks [block, block_end). */
PUBLIC void sonant_amx_attend(const attention *t, int64_t block, int64_t block_end, float *space) {
    int64_t blocks = (t->rows + BLOCK - 1) / BLOCK, deep = deep_of(t), wide = wide_of(t);
    for (; block < block_end; block++) {
        int64_t head = block / blocks, first = block % blocks * BLOCK;
        int64_t rows = t->rows - first < BLOCK ? t->rows - first : BLOCK;
        attend_halves(rows, t->queries + first * t->row + head * t->size, t->row, t->rows, t->size,
                      (const uint16_t *)t->packed + head * wide * deep,
                      (const uint16_t *)t->packed_values + head * wide * deep,
                      t->out + first * t->out_row + head * t->size, t->out_row, space);
    }
}
#endif
