/* Log-mel features: as many frames at a time as a register holds numbers, each in a lane of its own.

   A frame of 400 samples is 20 times 20 of them (Cooley and Tukey 1965): a Fourier transform of every twentieth sample, a
   turn, and one across these. Its frames are real, so half of what comes out says all. */

#include "vectors.h"

#include <string.h>

#define FRAME 400
#define HOP 160
#define SIDE 20            /* FRAME is its square */
#define HALF (SIDE / 2)    /* what is told of SIDE real numbers: 0 to this */
#define BINS (FRAME / 2 + 1)
#define COLUMNS (2 * LANES) /* the hops that LANES frames hear, and some more */
#define QUIETEST 1e-10f    /* power: less counts as this */
#define LOG_QUIETEST -10.0f

/* Cosine and sine of some four-hundredths of a turn. */
#define COSINE(part) turns[2 * ((part) % FRAME)]
#define SINE(part) turns[2 * ((part) % FRAME) + 1]

/* SIDE real registers to the first ones of their transform. What mirrors each other is added up before it is multiplied:
   n and SIDE - n, and of these n and HALF - n, once for even places and once for odd ones. */
static void transform(const vec *x, const float *turns, vec *re, vec *im) {
    enum { QUARTER = HALF / 2 };
    vec a[HALF], b[HALF], added[2][QUARTER], apart[2][QUARTER];
    UNROLL for (int n = 1; n < HALF; n++) a[n] = x[n] + x[SIDE - n], b[n] = x[n] - x[SIDE - n];
    UNROLL for (int n = 1; n < QUARTER; n++) {
        added[0][n] = a[n] + a[HALF - n], added[1][n] = a[n] - a[HALF - n];
        apart[0][n] = b[n] - b[HALF - n], apart[1][n] = b[n] + b[HALF - n];
    }
    vec first[2] = {x[0] + x[HALF], x[0] - x[HALF]};
    UNROLL for (int k = 0; k <= HALF; k++) {
        int odd = k % 2;
        vec cosines = first[odd], sines = {0};
        if (odd) sines = b[QUARTER] * SINE(SIDE * QUARTER * k);
        else cosines += a[QUARTER] * COSINE(SIDE * QUARTER * k);
        UNROLL for (int n = 1; n < QUARTER; n++) {
            cosines += added[odd][n] * COSINE(SIDE * n * k);
            sines += apart[odd][n] * SINE(SIDE * n * k);
        }
        re[k] = cosines, im[k] = -sines;
    }
}

/* Power of BINS frequencies of LANES frames; samples are turned: HOP rows of what columns of hops hold there. */
static void powers_of_frames(const float *hops, const float *window, const float *turns, vec *power) {
    vec re[SIDE][HALF + 1], im[SIDE][HALF + 1];
    for (int n = 0; n < SIDE; n++) {
        vec x[SIDE];
        for (int i = 0; i < SIDE; i++) {
            int sample = SIDE * i + n;
            x[i] = load(hops + sample % HOP * COLUMNS + sample / HOP) * window[sample];
        }
        transform(x, turns, re[n], im[n]);
    }
    for (int k = 0; k <= HALF; k++) {
        vec x[SIDE], y[SIDE], first[2][HALF + 1], second[2][HALF + 1];
        for (int n = 0; n < SIDE; n++) {
            float c = COSINE(n * k), s = SINE(n * k);
            x[n] = re[n][k] * c + im[n][k] * s;
            y[n] = im[n][k] * c - re[n][k] * s;
        }
        transform(x, turns, first[0], first[1]);
        transform(y, turns, second[0], second[1]);
        for (int i = 0; i <= HALF; i++) { /* of x + iy: place i, and the one that mirrors it */
            vec a = first[0][i] - second[1][i], b = first[1][i] + second[0][i];
            vec c = first[0][i] + second[1][i], d = second[0][i] - first[1][i];
            int bin = k + SIDE * i, mirror = k + SIDE * ((SIDE - i) % SIDE);
            power[bin < BINS ? bin : FRAME - bin] = a * a + b * b;
            power[mirror < BINS ? mirror : FRAME - mirror] = c * c + d * d;
        }
    }
}

/* log10 of positive numbers: of a power of two, and by the series of 2 artanh((m - 1) / (m + 1)) of what is left, 7e-10. */
INLINE vec logarithm(vec x) {
    ints power = ((ints)x - 0x3f3504f3) >> 23; /* what is left is between sqrt(1/2) and sqrt(2) */
    vec m = (vec)((ints)x - (power << 23)), s = (m - 1.0f) / (m + 1.0f), square = s * s;
    vec series = square * (1 / 9.0f) + 1 / 7.0f;
    series = series * square + 1 / 5.0f;
    series = series * square + 1 / 3.0f;
    series = series * square + 1.0f;
    return __builtin_convertvector(power, vec) * 0.301029996f + s * series * 0.868588964f;
}

/* log10 of the mel power of frames, HOP apart, of samples, as many as they hear: to (mels, frames), rows so far apart.
   window is what a frame is taken times, turns are cosine and sine of each part of FRAME, filters (mels, BINS) are zero
   outside [from, to) of spans. */
PUBLIC void sonant_log_mel(const float *samples, int64_t frames, const float *window, const float *turns,
                           const float *filters, const int64_t *spans, int64_t mels, float *out, int64_t row) {
    int64_t count = (frames - 1) * HOP + FRAME;
    float hops[HOP * COLUMNS] __attribute__((aligned(64)));
    vec power[BINS];
    for (int64_t first = 0; first < frames; first += LANES) {
        for (int column = 0; column < LANES + FRAME / HOP; column++) {
            int64_t start = (first + column) * HOP, there = count - start;
            for (int64_t i = 0; i < HOP; i++) hops[i * COLUMNS + column] = i < there ? samples[start + i] : 0;
        }
        powers_of_frames(hops, window, turns, power);
        int64_t some = frames - first < LANES ? frames - first : LANES;
        for (int64_t m = 0; m < mels; m++) {
            vec sum = {0};
            for (int64_t bin = spans[2 * m]; bin < spans[2 * m + 1]; bin++) sum += power[bin] * filters[m * BINS + bin];
            vec made = logarithm(larger(splat(QUIETEST), sum)) + 0 * sum; /* no number stays none */
            made = larger(splat(LOG_QUIETEST), made);
            memcpy(out + m * row + first, &made, some * sizeof(float));
        }
    }
}
