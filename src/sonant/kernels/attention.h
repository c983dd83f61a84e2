/* Attention to a whole sequence: what its two forms have in common. */

#ifndef SONANT_ATTENTION_H
#define SONANT_ATTENTION_H

#include "vectors.h"

typedef struct {
    const float *queries, *keys, *values; /* row r of head h begins at r * row + h * size, of keys and values at r * key_row
                                             + h * size; queries are scaled */
    float *out;                           /* row r of head h begins at r * out_row + h * size */
    void *packed;                         /* keys of each head, (key panels, size, PANEL), or bfloat16 as tiles want */
    float *packed_scales;                 /* (heads, key panels, PANEL) where they are int16 */
    void *packed_values;                  /* of each head, (size panels, keys, PANEL), likewise */
    int64_t rows, keys_known, heads, size, row, key_row, out_row; /* rows of queries; keys that all of them attend to */
} attention;

INLINE int64_t panels_of(int64_t count) { return (count + PANEL - 1) / PANEL; }
INLINE int64_t even(int64_t count) { return (count + 1) / 2 * 2; }

/* Scores of a row, made weights in place: exp(score - largest). Their sum is returned. */
INLINE float weigh(float *scores, int64_t keys) {
    int64_t count = panels_of(keys) * PANEL;
    for (int64_t i = keys; i < count; i++) scores[i] = -1e30f; /* no keys */
    vec most = splat(-1e30f), sum = {0}, seen = {0};
    for (int64_t i = 0; i < count; i += LANES) {
        most = larger(most, load(scores + i));
        seen += load(scores + i);
    }
    float peak = largest(most);
    for (int64_t i = 0; i < count; i += LANES) {
        vec weight = exponential(load(scores + i) - peak);
        store(scores + i, weight);
        sum += weight;
    }
    sum += 0 * seen; /* no number stays none */
    return total(sum);
}

/* attention_amx.c: rows of bfloat16, up to 32, filled up with zeros to multiples of 32 channels and taken times log2 e,
   attend to count keys, which lie as sonant_amx_pack_heads leaves them. What they get is returned, as many channels apart. */
float *attend_tiles(int64_t rows, const uint16_t *asked, int64_t row, int64_t count, int64_t size, const uint16_t *keys,
                    const uint16_t *values, float *space);

/* The same of float32, up to 32 rows, attend to count keys which lie so. */
void attend_halves(int64_t rows, const float *queries, int64_t row, int64_t count, int64_t size, const uint16_t *keys,
                   const uint16_t *values, float *out, int64_t out_row, float *space);

/* Floats of space that either needs. */
int64_t halves_space(int64_t size);

#endif
