/* AMX: eight registers ("tiles") of 16 rows of 64 bytes, and an instruction that multiplies two of them, 8192
   multiplications of bfloat16 at a time, or 16384 of bytes (Intel 64 and IA-32 Architectures Software Developer's
   Manual, 1, chapter 18). */

#ifndef SONANT_AMX_H
#define SONANT_AMX_H

#include "vectors.h"

#define STRIP 64  /* bytes of a tile's row */
#define DEPTH 32  /* inputs in bfloat16 that they hold */
#define HEIGHT 16 /* rows of a tile */
#define BLOCK 32  /* rows of two */
#define TOP_BYTE 255.0f
#define LOG2_E 1.44269504f

/* 2^x to 8e-5 of it, less than bfloat16 tells apart. */
INLINE vec power(vec x) {
    __m512 whole = _mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT);
    vec r = x - (vec)whole;
    vec made = r * 0.05508877f + 0.24260466f; /* least squares of the relative error on [-1/2, 1/2] */
    made = made * r + 0.69327628f;
    made = made * r + 0.9999289f;
    return (vec)_mm512_scalef_ps((__m512)made, whole);
}

/* x Phi(x), Phi the normal distribution as a logistic function of a polynomial, fitted to x Phi(x): 2.6e-5. */
INLINE vec near_gelu(vec x) {
    vec square = (vec)_mm512_min_ps((__m512)(x * x), (__m512)splat(36)); /* far out the polynomial would turn */
    vec made = square * -0.001014283f + 0.10677586f;
    made = made * square + 2.30112118f;
    return x * (vec)_mm512_rcp14_ps((__m512)(power(-x * made) + 1.0f));
}

/* Two registers to bfloat16, next to each other; and one of bfloat16 as float32. */
INLINE void store_two(void *to, vec low, vec high) {
    _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low));
}
INLINE vec widened(const uint16_t *from) {
    return (vec)(__builtin_convertvector(*(const unaligned_shorts *)from, ints) << 16);
}

/* A row of numbers, count a multiple of LANES, to bytes, of which zero stands for 0; what one of these is worth is
   returned, as much as lets all of the row fit on its side of zero. */
INLINE float round_bytes(const float *from, int64_t count, float zero, uint8_t *to) {
    vec most = {0}, least = {0}, sum = {0};
    for (int64_t i = 0; i < count; i += LANES) {
        vec x = load(from + i);
        most = larger(most, x);
        least = larger(least, -x);
        sum += 0 * x;
    }
    float above = _mm512_reduce_max_ps((__m512)most) / (TOP_BYTE - zero);
    float below = _mm512_reduce_max_ps((__m512)least) / zero;
    float scale = larger(splat(above > below ? above : below), splat(1e-30f))[0]; /* silence has a scale, too */
    vec times = splat(1 / scale), middle = splat(zero);
    for (int64_t i = 0; i < count; i += LANES) {
        __m512i whole = _mm512_cvtps_epi32((__m512)(load(from + i) * times + middle));
        _mm_storeu_si128((__m128i *)(to + i), _mm512_cvtusepi32_epi8(_mm512_max_epi32(whole, _mm512_setzero_si512())));
    }
    return scale + total(sum); /* no number stays none */
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

enum { HALVES, BYTES, THRICE_HALVES }; /* what is multiplied; see multiply_block */

#define MULTIPLY_TILES(to, a, b) \
    if (kind == BYTES) \
        _tile_dpbusd(to, a, b); \
    else \
        _tile_dpbf16ps(to, a, b)

/* The two tiles of rows that are loaded times the two of weights. */
#define MULTIPLY_ALL \
    MULTIPLY_TILES(0, 4, 6); \
    MULTIPLY_TILES(1, 4, 7); \
    MULTIPLY_TILES(2, 5, 6); \
    MULTIPLY_TILES(3, 5, 7)

/* sums = rows of a, step bytes apart, times a panel of weights (strips, taps, 16, PANEL, 4 bytes): of bfloat16; of bytes,
   rows without a sign; or thrice of bfloat16, where behind the strips of a row lie those of what it is off by, behind a
   strip of weights the one of what that is off by, and all but the product of both are summed. What a tap reads lies
   tap_step bytes behind what the one before does. There is room for BLOCK rows of sums; these begin with
   others where there are some, which may be the same. */
INLINE void multiply_block(int kind, const float *others, int64_t others_row, int64_t rows, const char *a, int64_t step,
                           int64_t taps, int64_t tap_step, int64_t strips, const void *weights, float *sums,
                           int64_t sums_row) {
    const char *w = (const char *)weights;
    int64_t below = rows > HEIGHT ? HEIGHT * step : 0; /* without rows there the first one is read again */
    int64_t strip = (kind == THRICE_HALVES ? 2 : 1) * STRIP * PANEL;
    float *under = sums + HEIGHT * sums_row;
    if (others) {
        _tile_loadd(0, others, 4 * others_row);
        _tile_loadd(1, others + HEIGHT, 4 * others_row);
        _tile_loadd(2, others + HEIGHT * others_row, 4 * others_row);
        _tile_loadd(3, others + HEIGHT * others_row + HEIGHT, 4 * others_row);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int64_t k = 0; k < strips; k++, a += STRIP) {
        const char *row = a;
        for (int64_t tap = 0; tap < taps; tap++, row += tap_step, w += STRIP * PANEL) {
            expect(w + strip, strip, 1); /* else a tile waits for the second cache */
            if (kind == THRICE_HALVES) {
                _tile_loadd(6, w, 4 * PANEL);
                _tile_loadd(7, w + STRIP, 4 * PANEL);
                _tile_loadd(4, row + strips * STRIP, step);
                _tile_loadd(5, row + strips * STRIP + below, step);
                MULTIPLY_ALL;
                _tile_loadd(4, row, step);
                _tile_loadd(5, row + below, step);
                MULTIPLY_ALL;
                w += STRIP * PANEL;
                _tile_loadd(6, w, 4 * PANEL);
                _tile_loadd(7, w + STRIP, 4 * PANEL);
                MULTIPLY_ALL;
                continue;
            }
            _tile_loadd(6, w, 4 * PANEL);
            _tile_loadd(4, row, step);
            MULTIPLY_TILES(0, 4, 6);
            _tile_loadd(7, w + STRIP, 4 * PANEL);
            MULTIPLY_TILES(1, 4, 7);
            _tile_loadd(5, row + below, step);
            MULTIPLY_TILES(2, 5, 6);
            MULTIPLY_TILES(3, 5, 7);
        }
    }
    _tile_stored(0, sums, 4 * sums_row);
    _tile_stored(1, sums + HEIGHT, 4 * sums_row);
    _tile_stored(2, under, 4 * sums_row);
    _tile_stored(3, under + HEIGHT, 4 * sums_row);
}

/* What a panel of sums becomes by: of bytes they are taken times what a row and an output are worth, once what the rows'
   zero adds to them is gone. */
typedef struct {
    const float *bias, *scales; /* of the panel's outputs */
    const int32_t *sums;        /* of bytes: what an output's weights come to */
    const float *rows;          /* and what the block's rows are worth */
    int64_t zero;
} panel_of;

enum { PUT, PUT_MORE, PUT_GELU }; /* as it is; added to what is there; its GELU in bfloat16 */

/* A block of sums to rows of to, so many numbers apart. It may be where they are. */
INLINE void finish_block(int kind, int how, int64_t rows, const float sums[BLOCK][PANEL], const panel_of *p, void *to,
                         int64_t apart) {
    for (int side = 0; side < PANEL; side += LANES) {
        vec bias = load(p->bias + side), scale = {0};
        ints less = {0};
        if (kind == BYTES) {
            scale = load(p->scales + side);
            less = *(const unaligned_ints *)(p->sums + side) * (int32_t)p->zero;
        }
        for (int64_t r = 0; r < rows; r++) {
            vec made = load(sums[r] + side);
            if (kind == BYTES) made = __builtin_convertvector((ints)made - less, vec) * scale * p->rows[r];
            made += bias;
            int64_t place = r * apart + side;
            if (how == PUT_GELU)
                store_halves((uint16_t *)to + place, near_gelu(made));
            else
                store((float *)to + place, how == PUT_MORE ? made + load((float *)to + place) : made);
        }
    }
}

#endif
