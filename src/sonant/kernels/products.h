/* Products: what the kernels around them need of products.c. */

#ifndef SONANT_PRODUCTS_H
#define SONANT_PRODUCTS_H

#include "vectors.h"

#define WEIGHT_LEVELS 4095.0f
#define BYTE_LEVELS 127.0f /* of what is stored in int8 */
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
    float *out;                 /* row r begins at r out_row */
    int64_t stride, taps, depth, panels, out_row, more; /* more: added to what out holds */
    const int32_t *weight_sums; /* of bytes, amx.c alone: (panels, PANEL), what an output's weights come to */
    int64_t zero;               /* and the byte that stands for 0 in the rows */
    uint16_t *gelu; /* where the rows go instead, activated, (rows, panels x PANEL) in bfloat16; or none; amx.c alone */
    int64_t rows, by_panels; /* threads share the panels, each with all rows; else the rows */
} product;

/* Rows and panels of outputs that a member multiplies. */
typedef struct {
    int64_t row, row_end, panel, panel_end;
} area;

INLINE area area_of(const product *p, const portion *own) {
    return p->by_panels ? (area){0, p->rows, own->begin, own->end} : (area){own->begin, own->end, 0, p->panels};
}

/* out = init + a w for one panel of w, (depth, PANEL), or of int16 (depth / 2, PANEL, 2) with a scale for each output;
   no init is zeros. In int16 depth is at most DEEP, and even. */
void multiply_panel(int64_t rows, int64_t depth, rows_of a, const void *w, const float *scales, const float *init,
                    int64_t init_row, float *out, int64_t out_row);

/* One row of numbers, count a multiple of LANES, to int16; what one of these is worth is returned. As many levels as let
   deep of them at a time be multiplied with weights of so many levels, and their sum fit 32 bits. */
float round_row(const float *from, int64_t count, int64_t deep, float levels, int16_t *to);

/* One panel (depth, PANEL) to int16 (depth / 2, PANEL, 2), with a scale for each output. */
void round_panel(const float *from, int64_t depth, int16_t *to, float *scales);

/* ---- what is done to rows ---- */

enum { NONE, LEAKY, GELU, TANH_GELU };

typedef struct {
    const float *scale, *shift; /* of each channel, up to a multiple of LANES; or none */
    float epsilon, slope;       /* of the norm over channels, below 0 for none; of LEAKY's negative numbers */
    int32_t activation;
} dress;

/* x Phi(x), Phi the normal distribution, by its error function (Abramowitz & Stegun 1964, 7.1.26: 1.5e-7). */
INLINE vec gelu(vec x) {
    vec size = absolute(x), t = 1.0f / (size * (0.3275911f * 0.70710678f) + 1.0f);
    vec made = t * 1.061405429f - 1.453152027f;
    made = made * t + 1.421413741f;
    made = made * t - 0.284496736f;
    made = made * t + 0.254829592f;
    vec beyond = made * t * exponential(size * size * -0.5f) * 0.5f; /* Phi(-|x|) */
    ints below = x < 0;
    return x * (vec)((below & (ints)beyond) | (~below & (ints)(1.0f - beyond)));
}

/* Its older form, x (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), which some networks were trained with. */
INLINE vec tanh_gelu(vec x) { return x * sigmoid(x * (x * x * 0.0713548163f + 1.59576912f)); }

/* Rows on their way into a product. */
typedef struct {
    const void *x;   /* rows of channels, x_row apart: float32, or bfloat16 where they are halves */
    const dress *how;
    void *to;        /* (rows, stride) of a kind, filled up with zeros */
    float *scales;   /* of each row, where it is of whole numbers */
    int64_t x_row, channels, kind, stride;
    int64_t halves, zero; /* of bytes alone: the one that stands for 0 */
} framing;

/* A row of channels in place; count is a multiple of LANES, and what is behind the channels is zero, before and after. */
void dress_row(const dress *how, float *row, int64_t channels, int64_t count);

#endif
