/* Attention of a whole sequence to itself: what its two forms have in common. */

#ifndef SONANT_ATTENTION_H
#define SONANT_ATTENTION_H

#include "vectors.h"

typedef struct {
    const float *queries, *keys, *values; /* row r of head h begins at r * row + h * size; queries are scaled */
    float *out;                           /* row r of head h begins at r * out_row + h * size */
    void *packed;                         /* keys of each head, (key panels, size, PANEL), or bfloat16 as tiles want */
    float *packed_scales;                 /* (heads, key panels, PANEL) where they are int16 */
    void *packed_values;                  /* of each head, (size panels, keys, PANEL), likewise */
    int64_t rows, heads, size, row, out_row;
} attention;

INLINE int64_t panels_of(int64_t count) { return (count + PANEL - 1) / PANEL; }

#endif
