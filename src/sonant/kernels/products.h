/* Products: what the kernels around them need of products.c. */

#ifndef SONANT_PRODUCTS_H
#define SONANT_PRODUCTS_H

#include "vectors.h"

#define DEEP 256 /* inputs of a product at a time: a panel of weights then fits the first cache, and sums fit 32 bits */

/* Rows of numbers: float32 without scales, else int16 with one for each row. */
typedef struct {
    const void *numbers;
    const float *scales;
    int64_t stride;
} rows_of;

/* Bytes of so many numbers. */
INLINE int64_t size_of(int64_t numbers, const float *scales) { return numbers * (scales ? 2 : 4); }

typedef struct {
    const void *inputs;         /* (steps, inputs): row r hears the steps r stride to r stride + taps - 1 */
    const float *input_scales;  /* (steps) where inputs are int16 */
    const void *weights;        /* for each tap, for each DEEP inputs or what is left: (panels, inputs, PANEL) */
    const float *weight_scales; /* (taps, DEEPs, panels, PANEL) where they are int16 */
    const float *bias;          /* a number for each output */
    float *out;                 /* row r begins at r out_row, but for a group of panels at a time, group_step apart */
    int64_t stride, taps, depth, panels, out_row, group, group_step, more; /* more: added to what out holds */
    uint16_t *gelu; /* where the rows go instead, activated, (rows, panels x PANEL) in bfloat16; or none; amx.c alone */
} product;

/* out = init + a w for one panel of w, (depth, PANEL), or of int16 (depth / 2, PANEL, 2) with a scale for each output;
   no init is zeros. In int16 depth is at most DEEP, and even. */
void multiply_panel(int64_t rows, int64_t depth, rows_of a, const void *w, const float *scales, const float *init,
                    int64_t init_row, float *out, int64_t out_row);

/* One row of numbers, count a multiple of LANES, to int16; what one of these is worth is returned. */
float round_row(const float *from, int64_t count, int16_t *to);

/* One panel (depth, PANEL) to int16 (depth / 2, PANEL, 2), with a scale for each output. */
void round_panel(const float *from, int64_t depth, int16_t *to, float *scales);

#endif
