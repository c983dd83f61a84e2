/* What the kernels use of AVX-512, its bfloat16 and VNNI, and AMX, made of AVX2: included before their sources
   (emulated.py), it lets their forms for newer CPUs be tested on older ones. Slow, and as strict as the CPU: where that
   refuses (no shape is loaded, sizes don't fit), this stops the process with a line that says why.

   Semantics: Intel 64 and IA-32 Architectures Software Developer's Manual, 2 (TDPBF16PS, VCVTNEPS2BF16, ...). */

#define _GNU_SOURCE
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define __AVX512F__ 1
#define __AVX512BW__ 1
#ifdef EMULATED_TILES
#define __AVX512VL__ 1
#define __AVX512VNNI__ 1
#define __AVX512BF16__ 1
#define __AMX_TILE__ 1
#define __AMX_BF16__ 1
#define __AMX_INT8__ 1
#define syscall(...) 0 /* Linux would not let this process use tiles */
#endif
#define __asm__(...) /* names registers that aren't there */

#define EMULATED static inline __attribute__((always_inline, unused))
#define EACH(lane, count) for (int lane = 0; lane < (count); lane++)

typedef float floats __attribute__((vector_size(64)));
typedef int32_t words __attribute__((vector_size(64)));
typedef int8_t bytes __attribute__((vector_size(16)));

/* ---- registers of 512 bits ---- */

EMULATED __m512 emulated_max(__m512 a, __m512 b) { /* the second where one is no number */
    EACH(i, 16) a[i] = a[i] > b[i] ? a[i] : b[i];
    return a;
}
EMULATED __m512 emulated_min(__m512 a, __m512 b) {
    EACH(i, 16) a[i] = a[i] < b[i] ? a[i] : b[i];
    return a;
}
EMULATED float emulated_reduce_add(__m512 x) { /* in halves */
    for (int half = 8; half; half /= 2) EACH(i, half) x[i] += x[i + half];
    return x[0];
}
EMULATED float emulated_reduce_max(__m512 x) {
    for (int half = 8; half; half /= 2) EACH(i, half) x[i] = x[i] > x[i + half] ? x[i] : x[i + half];
    return x[0];
}
EMULATED int emulated_reduce_add_words(__m512i x) {
    uint32_t sum = 0;
    EACH(i, 16) sum += (uint32_t)((words)x)[i];
    return (int)sum;
}
EMULATED __m512i emulated_max_words(__m512i a, __m512i b) {
    words x = (words)a, y = (words)b, more = x > y;
    return (__m512i)((more & x) | (~more & y));
}
EMULATED __m512 emulated_load_some(uint16_t mask, const float *from) {
    floats made = {0};
    EACH(i, 16) if (mask >> i & 1) made[i] = from[i];
    return (__m512)made;
}
EMULATED int emulated_test(__m512i a, __m512i b) {
    int mask = 0;
    EACH(i, 16) mask |= (((words)a)[i] & ((words)b)[i] ? 1 : 0) << i;
    return mask;
}
EMULATED int emulated_above(__m512 a, __m512 b, int how) {
    if (how != _CMP_GT_OQ) fputs("emulated.h: only > is known\n", stderr), abort();
    int mask = 0;
    EACH(i, 16) mask |= (a[i] > b[i]) << i;
    return mask;
}
EMULATED __m512 emulated_round(__m512 x, int how) {
    if (how != _MM_FROUND_TO_NEAREST_INT) fputs("emulated.h: only the nearest is known\n", stderr), abort();
    EACH(i, 16) x[i] = rintf(x[i]);
    return x;
}
EMULATED __m512 emulated_scale(__m512 x, __m512 by) {
    EACH(i, 16) x[i] = by[i] > 300 ? x[i] * INFINITY : by[i] < -300 ? x[i] * 0 : ldexpf(x[i], (int)floorf(by[i]));
    return x;
}
EMULATED __m512 emulated_reciprocal(__m512 x) { /* to 14 bits, as far off as the CPU's may be */
    EACH(i, 16) x[i] = 1 / x[i] * (1 - 0x1p-15f);
    return x;
}

/* ---- whole numbers ---- */

EMULATED __m512i emulated_pairs(__m512i a, __m512i b) {
    words x = (words)a, y = (words)b;
    return (__m512i)((x << 16 >> 16) * (y << 16 >> 16) + (x >> 16) * (y >> 16));
}
EMULATED __m512i emulated_more_pairs(__m512i sum, __m512i a, __m512i b) {
    return (__m512i)((words)sum + (words)emulated_pairs(a, b));
}
EMULATED __m512i emulated_to_words(__m512 x) { /* what fits none becomes the smallest */
    words made;
    EACH(i, 16) made[i] = x[i] >= -0x1p31f && x[i] < 0x1p31f ? (int32_t)rintf(x[i]) : INT32_MIN;
    return (__m512i)made;
}
EMULATED __m512 emulated_from_words(__m512i x) { return (__m512)__builtin_convertvector((words)x, floats); }
EMULATED __m512i emulated_widen_bytes(__m128i x) {
    return (__m512i)__builtin_convertvector((bytes)x, words);
}
EMULATED __m512i emulated_bytes_to_shorts(__m256i x) {
    typedef int8_t from __attribute__((vector_size(32)));
    typedef int16_t to __attribute__((vector_size(64)));
    return (__m512i)__builtin_convertvector((from)x, to);
}
EMULATED __m512i emulated_widen_shorts(__m256i x) {
    typedef uint16_t from __attribute__((vector_size(32)));
    return (__m512i)__builtin_convertvector((from)x, words);
}
EMULATED __m128i emulated_low_bytes(__m512i x) { return (__m128i)__builtin_convertvector((words)x, bytes); }
EMULATED __m128i emulated_near_bytes(__m512i x) { /* without a sign, none below the largest lost */
    words from = (words)x, over = (from < 0) | (from > 255);
    return emulated_low_bytes((__m512i)((over & 255) | (~over & from)));
}
EMULATED __m512i emulated_nothing(void) { return (__m512i)(words){0}; }
EMULATED void emulated_store(void *to, __m512i x) { memcpy(to, &x, sizeof x); }

/* ---- halves ---- */

EMULATED __m512 emulated_from_float16(__m256i x) {
    union {
        __m256 half[2];
        __m512 all;
    } made;
    made.half[0] = _mm256_cvtph_ps(_mm256_castsi256_si128(x));
    made.half[1] = _mm256_cvtph_ps(_mm256_extracti128_si256(x, 1));
    return made.all;
}
EMULATED __m256i emulated_to_float16(__m512 x, int how) {
    (void)how; /* to the nearest, always */
    union {
        __m512 all;
        __m256 half[2];
    } from = {x};
    return _mm256_set_m128i(_mm256_cvtps_ph(from.half[1], 0), _mm256_cvtps_ph(from.half[0], 0));
}
EMULATED uint16_t emulated_bfloat16(float x) { /* to the nearest, ties to even; next to nothing is nothing */
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (x != x) return bits >> 16 | 0x40;
    if (!(bits & 0x7f800000)) return bits >> 16 & 0x8000;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
EMULATED __m256i emulated_to_bfloat16(__m512 x) {
    uint16_t made[16];
    EACH(i, 16) made[i] = emulated_bfloat16(x[i]);
    __m256i packed;
    memcpy(&packed, made, sizeof packed);
    return packed;
}
EMULATED __m512i emulated_two_to_bfloat16(__m512 high, __m512 low) {
    union {
        __m256i half[2];
        __m512i all;
    } made = {{emulated_to_bfloat16(low), emulated_to_bfloat16(high)}};
    return made.all;
}

#undef _mm512_cmp_ps_mask
#undef _mm512_roundscale_ps
#undef _mm512_cvtps_ph
#define _mm512_max_ps emulated_max
#define _mm512_min_ps emulated_min
#define _mm512_reduce_add_ps emulated_reduce_add
#define _mm512_reduce_max_ps emulated_reduce_max
#define _mm512_reduce_add_epi32 emulated_reduce_add_words
#define _mm512_max_epi32 emulated_max_words
#define _mm512_maskz_loadu_ps emulated_load_some
#define _mm512_test_epi32_mask emulated_test
#define _mm512_cmp_ps_mask emulated_above
#define _mm512_roundscale_ps emulated_round
#define _mm512_scalef_ps emulated_scale
#define _mm512_rcp14_ps emulated_reciprocal
#define _mm512_madd_epi16 emulated_pairs
#define _mm512_dpwssd_epi32 emulated_more_pairs
#define _mm512_cvtps_epi32 emulated_to_words
#define _mm512_cvtepi32_ps emulated_from_words
#define _mm512_cvtepi8_epi32 emulated_widen_bytes
#define _mm512_cvtepi8_epi16 emulated_bytes_to_shorts
#define _mm512_cvtepu16_epi32 emulated_widen_shorts
#define _mm512_cvtepi32_epi8 emulated_low_bytes
#define _mm512_cvtusepi32_epi8 emulated_near_bytes
#define _mm512_setzero_si512 emulated_nothing
#define _mm512_storeu_si512 emulated_store
#define _mm512_cvtph_ps emulated_from_float16
#define _mm512_cvtps_ph emulated_to_float16
#define _mm512_cvtneps_pbh emulated_to_bfloat16
#define _mm512_cvtne2ps_pbh emulated_two_to_bfloat16

/* ---- tiles ---- */

#ifdef EMULATED_TILES
typedef struct {
    int there;        /* a shape is loaded */
    int rows[8], bytes[8];
    uint8_t numbers[8][16][64];
} emulated_tiles;

/* One set a thread, whatever file its function is in. */
__thread emulated_tiles emulated_all __attribute__((weak, visibility("hidden")));

EMULATED void emulated_refuse(const char *why) {
    fprintf(stderr, "emulated.h: %s\n", why);
    abort();
}
EMULATED void emulated_check(int tile) {
    if (!emulated_all.there) emulated_refuse("a tile is used before its shape is loaded");
    if (!emulated_all.rows[tile]) emulated_refuse("a tile is used that has no rows");
}
EMULATED void emulated_shape(const void *from) {
    const uint8_t *shape = from;
    if (shape[0] != 1) emulated_refuse("the palette isn't 1");
    for (int i = 1; i < 16; i++)
        if (shape[i]) emulated_refuse("something reserved isn't 0");
    EACH(i, 8) {
        uint16_t bytes;
        memcpy(&bytes, shape + 16 + 2 * i, sizeof bytes);
        if (bytes > 64 || shape[48 + i] > 16 || !bytes != !shape[48 + i]) emulated_refuse("no such shape");
        emulated_all.bytes[i] = bytes, emulated_all.rows[i] = shape[48 + i];
    }
    memset(emulated_all.numbers, 0, sizeof emulated_all.numbers);
    emulated_all.there = 1;
}
EMULATED void emulated_release(void) { memset(&emulated_all, 0, sizeof emulated_all); }
EMULATED void emulated_zero(int tile) {
    emulated_check(tile);
    memset(emulated_all.numbers[tile], 0, sizeof emulated_all.numbers[tile]);
}
EMULATED void emulated_load(int tile, const void *from, int64_t step) {
    emulated_zero(tile);
    for (int r = 0; r < emulated_all.rows[tile]; r++)
        memcpy(emulated_all.numbers[tile][r], (const char *)from + r * step, emulated_all.bytes[tile]);
}
EMULATED void emulated_put(int tile, void *to, int64_t step) {
    emulated_check(tile);
    for (int r = 0; r < emulated_all.rows[tile]; r++)
        memcpy((char *)to + r * step, emulated_all.numbers[tile][r], emulated_all.bytes[tile]);
}
EMULATED void emulated_fit(int to, int a, int b) {
    emulated_check(to), emulated_check(a), emulated_check(b);
    if (to == a || to == b || a == b) emulated_refuse("a product's tiles aren't three");
    if (emulated_all.rows[to] != emulated_all.rows[a] || emulated_all.bytes[to] != emulated_all.bytes[b] ||
        emulated_all.bytes[a] != 4 * emulated_all.rows[b])
        emulated_refuse("a product's tiles don't fit");
}
EMULATED float emulated_widen(uint16_t half) { /* next to nothing is nothing */
    uint32_t bits = half & 0x7f80 ? (uint32_t)half << 16 : (uint32_t)(half & 0x8000) << 16;
    float made;
    memcpy(&made, &bits, sizeof made);
    return made;
}
EMULATED void emulated_halves(int to, int a, int b) {
    emulated_fit(to, a, b);
    float second[16][2][16];
    for (int k = 0; k < emulated_all.rows[b]; k++) {
        uint16_t row[32];
        memcpy(row, emulated_all.numbers[b][k], sizeof row);
        EACH(i, 16) second[k][0][i] = emulated_widen(row[2 * i]), second[k][1][i] = emulated_widen(row[2 * i + 1]);
    }
    for (int r = 0; r < emulated_all.rows[to]; r++) {
        floats sum;
        uint16_t row[32];
        memcpy(&sum, emulated_all.numbers[to][r], sizeof sum);
        memcpy(row, emulated_all.numbers[a][r], sizeof row);
        for (int k = 0; k < emulated_all.rows[b]; k++) EACH(side, 2) {
            floats other;
            memcpy(&other, second[k][side], sizeof other);
            sum += other * emulated_widen(row[2 * k + side]);
        }
        memcpy(emulated_all.numbers[to][r], &sum, sizeof sum);
    }
}
EMULATED void emulated_bytes(int to, int a, int b) { /* the first without a sign */
    emulated_fit(to, a, b);
    words second[16][4];
    for (int k = 0; k < emulated_all.rows[b]; k++)
        EACH(i, 16) EACH(side, 4) second[k][side][i] = (int8_t)emulated_all.numbers[b][k][4 * i + side];
    for (int r = 0; r < emulated_all.rows[to]; r++) {
        words sum;
        memcpy(&sum, emulated_all.numbers[to][r], sizeof sum);
        for (int k = 0; k < emulated_all.rows[b]; k++)
            EACH(side, 4) sum += second[k][side] * (int32_t)emulated_all.numbers[a][r][4 * k + side];
        memcpy(emulated_all.numbers[to][r], &sum, sizeof sum);
    }
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#undef _tile_dpbusd
#define _tile_loadconfig emulated_shape
#define _tile_release emulated_release
#define _tile_zero emulated_zero
#define _tile_loadd emulated_load
#define _tile_stored emulated_put
#define _tile_dpbf16ps emulated_halves
#define _tile_dpbusd emulated_bytes
#endif
