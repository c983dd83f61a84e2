/* What all kernels share: registers of LANES floats, by the compiler's vector types, so that one source serves every
   instruction set.

Compiled once for each of them (build.py). Every function works on a range, so that threads can share a call; none
allocates, none keeps anything. */

#ifndef SONANT_VECTORS_H
#define SONANT_VECTORS_H

#include <stdint.h>

#ifndef LANES
#define LANES 8
#define ROWS 6
#endif
#define PANEL (2 * LANES) /* outputs that are computed together; counts of channels are multiples of it */

#ifdef _WIN32
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif
#define UNROLL _Pragma("GCC unroll 32")
#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float unaligned __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef double doubles __attribute__((vector_size(8 * LANES), aligned(8), may_alias));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef int16_t shorts __attribute__((vector_size(2 * LANES), aligned(2), may_alias));
typedef int32_t unaligned_ints __attribute__((vector_size(4 * LANES), aligned(2), may_alias));
typedef int32_t pair __attribute__((aligned(2), may_alias)); /* two neighbouring inputs */

INLINE vec load(const float *from) { return *(const unaligned *)from; }
INLINE void store(float *to, vec value) { *(unaligned *)to = value; }
INLINE vec splat(float value) { return value - (vec){0}; }
#define ROUNDER 12582912.0f /* 1.5 x 2^23: added, it leaves whole numbers */

/* What the vector types can't say: the larger of two; and two neighbours of 16 bits times two, the sum of 32. */
#if defined(__AVX512BW__)
#include <immintrin.h>
#define WHOLE 1
INLINE vec larger(vec a, vec b) { return (vec)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE ints pairs(ints a, ints b) { return (ints)_mm512_madd_epi16((__m512i)a, (__m512i)b); }
#elif defined(__AVX2__)
#include <immintrin.h>
#define WHOLE 1
INLINE vec larger(vec a, vec b) { return (vec)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE ints pairs(ints a, ints b) { return (ints)_mm256_madd_epi16((__m256i)a, (__m256i)b); }
#else /* right, but int16 is no faster than float32 */
#define WHOLE 0
INLINE vec larger(vec a, vec b) {
    ints more = a > b;
    return (vec)((more & (ints)a) | (~more & (ints)b));
}
INLINE ints pairs(ints a, ints b) { return (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16); }
#endif
#if defined(__AVX512BF16__) /* to bfloat16, to the nearest, no number staying none: 16 bits each of 32, or packed */
INLINE ints halves(vec x) { return (ints)_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)x)); }
INLINE void store_halves(uint16_t *to, vec x) { _mm256_storeu_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh((__m512)x)); }
#endif
#if WHOLE /* else the compiler keeps all products of a step waiting, and runs out of registers */
#define ONE_BY_ONE(sum) __asm__("" : "+v"(sum))
#else
#define ONE_BY_ONE(sum)
#endif

INLINE vec absolute(vec x) { return (vec)((ints)x & 0x7fffffff); }

/* exp(x) for x up to 0, to 2e-7 of it: 2^n times the Taylor series of what is left, at most ln 2 / 2. */
INLINE vec exponential(vec x) {
    x = larger(x, splat(-87.0f)); /* 2^-126 is the smallest that a float holds */
    vec whole = (x * 1.44269504f + ROUNDER) - ROUNDER;
    vec r = (x - whole * 0.693145752f) - whole * 1.42860677e-6f; /* ln 2 in two parts */
    vec made = r * (1 / 720.0f) + 1 / 120.0f;
    made = made * r + 1 / 24.0f;
    made = made * r + 1 / 6.0f;
    made = made * r + 0.5f;
    made = made * r + 1.0f;
    made = made * r + 1.0f;
    ints power = ((ints)(whole + ROUNDER) - 0x4b400000 + 127) << 23;
    return made * (vec)power;
}

#endif
