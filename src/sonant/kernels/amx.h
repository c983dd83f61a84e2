/* AMX: eight registers ("tiles") of 16 rows of 64 bytes, and an instruction that multiplies two of them, 8192
   multiplications of bfloat16 at a time (Intel 64 and IA-32 Architectures Software Developer's Manual, 1, chapter 18). */

#ifndef SONANT_AMX_H
#define SONANT_AMX_H

#include "vectors.h"

#define DEPTH 32  /* inputs of a tile */
#define HEIGHT 16 /* rows of a tile */
#define BLOCK 32  /* rows of two */

/* 2^x to 8e-5 of it, less than bfloat16 tells apart. */
INLINE vec power(vec x) {
    __m512 whole = _mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT);
    vec r = x - (vec)whole;
    vec made = r * 0.05508877f + 0.24260466f; /* least squares of the relative error on [-1/2, 1/2] */
    made = made * r + 0.69327628f;
    made = made * r + 0.9999289f;
    return (vec)_mm512_scalef_ps((__m512)made, whole);
}

/* Tiles for blocks of so many rows, 1 to BLOCK: 0 to 3 are sums, 4 and 5 rows, 6 and 7 weights. */
INLINE void shape_tiles(int64_t rows) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } shape = {.palette = 1};
    int64_t below = rows > HEIGHT ? rows - HEIGHT : 1, above = rows > HEIGHT ? HEIGHT : rows;
    for (int i = 0; i < 8; i++) shape.bytes[i] = 64, shape.rows[i] = HEIGHT;
    shape.rows[0] = shape.rows[1] = shape.rows[4] = above;
    shape.rows[2] = shape.rows[3] = shape.rows[5] = below;
    __asm__ volatile("" : : "r"(&shape) : "memory"); /* GCC's tile loads don't tell it what they read */
    _tile_loadconfig(&shape);
}

/* sums = rows of a, step bytes apart, times a panel of weights (depth / DEPTH, taps, DEPTH / 2, PANEL, 2); what a tap
   reads lies tap_step bytes behind what the one before does. There is room for BLOCK rows of sums. */
INLINE void multiply_block(int64_t rows, const char *a, int64_t step, int64_t taps, int64_t tap_step, int64_t depth,
                           const uint16_t *weights, float *sums, int64_t sums_row) {
    const char *w = (const char *)weights;
    int64_t below = rows > HEIGHT ? HEIGHT * step : 0; /* without rows there the first one is read again */
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t k = 0; k < depth; k += DEPTH, a += 2 * DEPTH) {
        const char *row = a;
        for (int64_t tap = 0; tap < taps; tap++, row += tap_step, w += 2 * DEPTH * PANEL) {
            _tile_loadd(6, w, 4 * PANEL);
            _tile_loadd(4, row, step);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(7, w + 64, 4 * PANEL);
            _tile_dpbf16ps(1, 4, 7);
            _tile_loadd(5, row + below, step);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    float *under = sums + HEIGHT * sums_row;
    _tile_stored(0, sums, 4 * sums_row);
    _tile_stored(1, sums + HEIGHT, 4 * sums_row);
    _tile_stored(2, under, 4 * sums_row);
    _tile_stored(3, under + HEIGHT, 4 * sums_row);
}

#endif
