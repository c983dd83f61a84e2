/* What all kernels share: registers of LANES floats, by the compiler's vector types, so that one source serves every
   instruction set.

Compiled once for each of them (build.py). None allocates, none keeps anything. What threads share is a kernel, which is
given the call and a portion of it (crew.c). */

#ifndef SONANT_VECTORS_H
#define SONANT_VECTORS_H

#include <stdint.h>

#ifndef LANES
#define LANES 8
#define ROWS 6
#endif
#define LINE 64 /* bytes of a cache */
#define PANEL (2 * LANES) /* outputs that are computed together; counts of channels are multiples of it */

#ifdef _WIN32
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif
#define UNROLL _Pragma("GCC unroll 32")
#define INLINE static inline __attribute__((always_inline))

/* A member's portion of a call: [begin, end) of what is shared, which of the portions that is, and space of its own. */
typedef struct {
    int64_t begin, end, place;
    float *space;
} portion;

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float unaligned __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef double doubles __attribute__((vector_size(8 * LANES), aligned(8), may_alias));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef int16_t shorts __attribute__((vector_size(2 * LANES), aligned(2), may_alias));
typedef uint16_t unaligned_shorts __attribute__((vector_size(2 * LANES), aligned(2), may_alias));
typedef int8_t unaligned_bytes __attribute__((vector_size(2 * LANES), aligned(1), may_alias)); /* pairs of them */
typedef int8_t narrow_bytes __attribute__((vector_size(LANES), aligned(1), may_alias));
typedef int16_t paired __attribute__((vector_size(4 * LANES)));
typedef int32_t unaligned_ints __attribute__((vector_size(4 * LANES), aligned(2), may_alias));
typedef int32_t pair __attribute__((aligned(2), may_alias)); /* two neighbouring inputs */

INLINE vec load(const float *from) { return *(const unaligned *)from; }
INLINE void store(float *to, vec value) { *(unaligned *)to = value; }
INLINE vec splat(float value) { return value - (vec){0}; }

/* Lines that come later, before they are read: into the first cache, or, from further ahead, the second. The CPU itself
   asks for too few of them, and too late. */
INLINE void expect(const void *from, int64_t bytes, int cache) {
    for (const char *line = from, *end = line + bytes; line < end; line += LINE)
        if (cache == 1) __builtin_prefetch(line, 0, 3);
        else __builtin_prefetch(line, 0, 2);
}

#define ROUNDER 12582912.0f /* 1.5 x 2^23: added, it leaves whole numbers */

/* What the vector types can't say: the larger of two; and a sum of 32 bits plus two neighbours of 16 times two. */
#if defined(__AVX512BW__)
#include <immintrin.h>
#define WHOLE 1
INLINE vec larger(vec a, vec b) { return (vec)_mm512_max_ps((__m512)a, (__m512)b); }
#if defined(__AVX512VNNI__)
INLINE ints pairs(ints sum, ints a, ints b) { return (ints)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)a, (__m512i)b); }
#else
INLINE ints pairs(ints sum, ints a, ints b) { return sum + (ints)_mm512_madd_epi16((__m512i)a, (__m512i)b); }
#endif
#elif defined(__AVX2__)
#include <immintrin.h>
#define WHOLE 1
INLINE vec larger(vec a, vec b) { return (vec)_mm256_max_ps((__m256)a, (__m256)b); }
#if defined(__AVXVNNI__)
INLINE ints pairs(ints sum, ints a, ints b) {
    return (ints)_mm256_dpwssd_avx_epi32((__m256i)sum, (__m256i)a, (__m256i)b);
}
#else
INLINE ints pairs(ints sum, ints a, ints b) { return sum + (ints)_mm256_madd_epi16((__m256i)a, (__m256i)b); }
#endif
#else /* right, but int16 is no faster than float32 */
#define WHOLE 0
INLINE vec larger(vec a, vec b) {
    ints more = a > b;
    return (vec)((more & (ints)a) | (~more & (ints)b));
}
INLINE ints pairs(ints sum, ints a, ints b) {
    return sum + (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16);
}
#endif
/* Registers of bytes: as floats, as pairs of 16 bits; and whole numbers as bytes. GCC 12 takes such apart by itself. */
#if defined(__AVX512BW__)
INLINE vec load_bytes(const int8_t *from) {
    return (vec)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)from)));
}
INLINE ints load_pairs(const int8_t *from) {
    return (ints)_mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)from));
}
INLINE void store_bytes(int8_t *to, ints x) { _mm_storeu_si128((__m128i *)to, _mm512_cvtepi32_epi8((__m512i)x)); }
#elif defined(__AVX2__)
INLINE vec load_bytes(const int8_t *from) {
    return (vec)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)from)));
}
INLINE ints load_pairs(const int8_t *from) {
    return (ints)_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)from));
}
INLINE void store_bytes(int8_t *to, ints x) {
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)x), _mm256_extracti128_si256((__m256i)x, 1));
    _mm_storel_epi64((__m128i *)to, _mm_packs_epi16(words, words));
}
#else
INLINE vec load_bytes(const int8_t *from) {
    return __builtin_convertvector(__builtin_convertvector(*(const narrow_bytes *)from, ints), vec);
}
INLINE ints load_pairs(const int8_t *from) {
    return (ints)__builtin_convertvector(*(const unaligned_bytes *)from, paired);
}
INLINE void store_bytes(int8_t *to, ints x) { *(narrow_bytes *)to = __builtin_convertvector(x, narrow_bytes); }
#endif

/* A register of float16 as float32. */
#if defined(__AVX512BW__)
INLINE vec load_float16(const uint16_t *from) { return (vec)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from)); }
#elif defined(__AVX2__)
INLINE vec load_float16(const uint16_t *from) { return (vec)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from)); }
#else
INLINE vec load_float16(const uint16_t *from) {
    ints bits = __builtin_convertvector(*(const unaligned_shorts *)from, ints);
    ints size = (bits & 0x7fff) << 13, beyond = size >= 0x7c00 << 13; /* no number */
    vec made = (vec)size * 5.192296858534828e33f; /* 2^112, what the exponents begin apart */
    made = (vec)((beyond & (size | 0x7f800000)) | (~beyond & (ints)made));
    return (vec)((ints)made | (bits & 0x8000) << 16);
}
#endif

/* A register as float16, to the nearest, of equal ones the even one; no number stays none. */
#if defined(__AVX512BW__)
INLINE void store_float16(uint16_t *to, vec x) { _mm256_storeu_si256((__m256i *)to, _mm512_cvtps_ph((__m512)x, 0)); }
#elif defined(__AVX2__)
INLINE void store_float16(uint16_t *to, vec x) { _mm_storeu_si128((__m128i *)to, _mm256_cvtps_ph((__m256)x, 0)); }
#else
INLINE void store_float16(uint16_t *to, vec x) {
    ints sign = (ints)x >> 16 & 0x8000, size = (ints)x & 0x7fffffff, none = size > 0x7f800000;
    ints small = (ints)((vec)size + 0.5f) - 0x3f000000; /* below 2^-14 a step is 2^-24, as it is of 0.5 */
    ints made = (size + 0xfff + (size >> 13 & 1)) >> 13, below = size < 0x38800000, beyond = size >= 0x477ff000;
    made = (below & small) | (~below & (made - (112 << 10)));
    made = (beyond & (0x7c00 | (none & 0x200))) | (~beyond & made);
    *(unaligned_shorts *)to = __builtin_convertvector(made | sign, unaligned_shorts);
}
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

/* Whether any number of a comparison is true. */
INLINE int any(ints x) {
#if defined(__AVX512BW__)
    return _mm512_test_epi32_mask((__m512i)x, (__m512i)x) != 0;
#elif defined(__AVX2__)
    return _mm256_movemask_ps((__m256)x) != 0;
#else
    int found = 0;
    for (int l = 0; l < LANES; l++) found |= x[l];
    return found != 0;
#endif
}

/* The sum of a register's numbers, in halves. */
INLINE float total(vec x) {
#if defined(__AVX512BW__)
    return _mm512_reduce_add_ps((__m512)x);
#elif defined(__AVX2__)
    __m128 four = _mm_add_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
#else
    float sum = 0;
    for (int l = 0; l < LANES; l++) sum += x[l];
    return sum;
#endif
}

/* The largest of them. */
INLINE float largest(vec x) {
#if defined(__AVX512BW__)
    return _mm512_reduce_max_ps((__m512)x);
#else
    float found = x[0];
    for (int l = 1; l < LANES; l++) found = x[l] > found ? x[l] : found;
    return found;
#endif
}

/* The first numbers of a register, zeros behind count of them, which may be none. Nothing else is read. */
INLINE vec load_part(const float *from, int64_t count) {
#if defined(__AVX512BW__)
    return (vec)_mm512_maskz_loadu_ps(count >= LANES ? 0xffff : count > 0 ? (1 << count) - 1 : 0, from);
#else
    if (count >= LANES) return load(from);
    float some[LANES] = {0};
    for (int64_t i = 0; i < count; i++) some[i] = from[i];
    return load(some);
#endif
}

INLINE vec absolute(vec x) { return (vec)((ints)x & 0x7fffffff); }

/* exp(x) for x up to 0, to 2e-7 of it, as 2^n (s r + 1): a Taylor series of what is left, r, at most ln 2 / 2. No number
   stays none. */
typedef struct {
    vec power, series, rest;
} powers;

INLINE powers powers_of(vec x) {
    x = larger(splat(-87.0f), x); /* 2^-126 is the smallest that a float holds */
    vec whole = (x * 1.44269504f + ROUNDER) - ROUNDER;
    vec r = (x - whole * 0.693145752f) - whole * 1.42860677e-6f; /* ln 2 in two parts */
    vec made = r * (1 / 720.0f) + 1 / 120.0f;
    made = made * r + 1 / 24.0f;
    made = made * r + 1 / 6.0f;
    made = made * r + 0.5f;
    made = made * r + 1.0f;
    ints power = ((ints)(whole + ROUNDER) - 0x4b400000 + 127) << 23;
    return (powers){(vec)power, made, r};
}

INLINE vec exponential(vec x) {
    powers of = powers_of(x);
    return (of.series * of.rest + 1.0f) * of.power;
}

/* 1 / (1 + exp(-x)) */
INLINE vec sigmoid(vec x) {
    vec small = exponential(-absolute(x)), made = 1.0f / (1.0f + small);
    ints below = x < 0;
    return made * (vec)((below & (ints)small) | (~below & (ints)splat(1)));
}

/* tanh(x), as exact near 0 as elsewhere: of exp(-2 |x|) - 1. */
INLINE vec hyperbolic(vec x) {
    powers of = powers_of(absolute(x) * -2.0f);
    vec less = of.series * of.rest * of.power + (of.power - 1.0f);
    return (vec)((ints)(-less / (2.0f + less)) | ((ints)x & INT32_MIN));
}

#endif
