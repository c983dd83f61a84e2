/* When words are spoken: the cheapest path of tokens through frames, and the running median that attention goes through
   before. Ties go left, as in openai-whisper. */

#include "vectors.h"

#include <math.h>
#include <string.h>

enum { ACROSS, UP, LEFT };
#define WIDTH 7 /* of the median */
#define HALF (WIDTH / 2)

/* The cheapest monotonic path through (tokens, frames) costs from corner to corner: a token and a frame of each of its
   points, the last ones of (tokens + frames, 2); how many they are is returned. Space for frames + 1 totals, and for a move
   of each cell. */
PUBLIC int64_t sonant_warp(const double *cost, int64_t tokens, int64_t frames, double *totals, int8_t *moves,
                           int64_t *path) {
    for (int64_t j = 0; j <= frames; j++) totals[j] = j ? HUGE_VAL : 0; /* of the token before; place j + 1 is frame j */
    for (int64_t i = 0; i < tokens; i++, cost += frames) {
        double across = totals[0], left = totals[0] = HUGE_VAL;
        for (int64_t j = 0; j < frames; j++) {
            double up = totals[j + 1], best = left;
            int8_t move = LEFT;
            if (across < up && across < left) move = ACROSS, best = across;
            if (up < across && up < left) move = UP, best = up;
            moves[i * frames + j] = move;
            totals[j + 1] = left = cost[j] + best;
            across = up;
        }
    }
    int64_t count = 0;
    for (int64_t i = tokens - 1, j = frames - 1; i >= 0 || j >= 0; count++) {
        int64_t *point = path + 2 * (tokens + frames - 1 - count);
        point[0] = i, point[1] = j;
        int8_t move = i < 0 ? LEFT : j < 0 ? UP : moves[i * frames + j]; /* beyond the first ones there is one way only */
        i -= move != LEFT;
        j -= move != UP;
    }
    return count;
}

/* Of two registers the smaller numbers to a, the larger ones to b. */
INLINE void exchange(vec *a, vec *b) {
    vec low = -larger(-*a, -*b);
    *b = larger(*a, *b);
    *a = low;
}

/* The median of seven: what brings it to place 3 (N. Devillard, "Fast median search", 1998). No number makes it none. */
INLINE vec median(const float *from) {
    static const int8_t pairs[][2] = {{0, 5}, {0, 3}, {1, 6}, {2, 4}, {0, 1}, {3, 5}, {2, 6},
                                      {2, 3}, {3, 6}, {4, 5}, {1, 4}, {1, 3}, {3, 4}};
    vec x[WIDTH];
    ints none = {0};
    UNROLL for (int i = 0; i < WIDTH; i++) {
        x[i] = load(from + i);
        none |= x[i] != x[i];
    }
    UNROLL for (int k = 0; k < 13; k++) exchange(&x[pairs[k][0]], &x[pairs[k][1]]);
    return (vec)((ints)x[HALF] | none);
}

/* Running medians of rows of count numbers, more than HALF, mirrored at their ends. Space for a row, WIDTH and a register. */
PUBLIC void sonant_medians(const float *from, int64_t rows, int64_t count, float *space, float *to) {
    for (; rows--; from += count, to += count) {
        memcpy(space + HALF, from, count * sizeof(float));
        for (int64_t i = 0; i < HALF; i++) {
            space[HALF - 1 - i] = from[i + 1];
            space[HALF + count + i] = from[count - 2 - i];
        }
        int64_t i = 0;
        for (; i + LANES <= count; i += LANES) store(to + i, median(space + i));
        vec last = median(space + i); /* some of it is behind the row */
        memcpy(to + i, &last, (count - i) * sizeof(float));
    }
}
