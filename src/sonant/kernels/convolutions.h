/* A convolution with what stands around it: what its two ways, on polynomials and on tiles, have in common. */

#ifndef SONANT_CONVOLUTIONS_H
#define SONANT_CONVOLUTIONS_H

#include "products.h"

typedef struct {
    const float *x;        /* (rows, inputs); 0 beyond both ends, after the activation */
    const float *dress;    /* (4, inputs): scale, shift; snake's alpha / pi and 1 / alpha */
    const void *weights;   /* (POINTS, outputs / PANEL, 3, inputs, PANEL) of sonant_pack_points; or of sonant_amx_pack */
    const float *scales;   /* of weights in int16, one for each output of a panel */
    const float *bias;     /* (outputs) or none */
    const float *residual; /* (rows, outputs), added; or none. May be out */
    float *out;            /* (rows, outputs) */
    double *moments;       /* (portions, 2, outputs), as add_moments has them */
    int64_t rows, inputs, outputs, kernel, dilation;
    int64_t halves; /* weights at the points are in bfloat16, for tiles */
} convolution;

#define POINTS 16 /* that a convolution is evaluated at */

/* amx.c: the points of so many tiles of steps, three planes of bfloat16 for each, times the weights there, to two planes. */
void multiply_points(const convolution *c, int64_t tiles, const uint16_t *in, int64_t in_plane, float *out,
                     int64_t out_plane);

/* x + sin(alpha x)^2 / alpha (Ziyin et al. 2020): sin^2 has period pi; the polynomial's error is 5e-7, see
   models/kokoro/graph_layers.py */
INLINE vec snake(vec x, vec alpha_by_pi, vec one_by_alpha) {
    vec turns = x * alpha_by_pi;
    vec rest = turns - ((turns + ROUNDER) - ROUNDER);
    vec square = rest * rest;
    vec made = 10.581284043494835f * square - 29.426264427835253f;
    made = made * square + 42.643424072481686f;
    made = made * square - 32.4651393691662f;
    made = made * square + 9.869524808477726f;
    return x + made * square * one_by_alpha;
}

/* Adds to moments, (2, channels): the sum and the sum of squares of count values, given those of their differences to
   one of them, so that float32 loses nothing where the mean is large. */
INLINE void add_moments(double *moments, int64_t channels, int64_t channel, int count, vec pivot, vec sum, vec square) {
    doubles p = __builtin_convertvector(pivot, doubles), s = __builtin_convertvector(sum, doubles);
    *(doubles *)(moments + channel) += s + count * p;
    *(doubles *)(moments + channels + channel) +=
        __builtin_convertvector(square, doubles) + 2 * p * s + count * p * p;
}

#endif
