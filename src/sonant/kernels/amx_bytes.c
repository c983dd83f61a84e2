/* Rows and weights as the tiles of AMX multiply bytes: rows unsigned, each with a scale of its own and a byte that stands
   for 0, weights signed, with a scale for each output. */

#if defined(__AMX_INT8__) && defined(__linux__)
#include <string.h>

#include "amx.h"
#include "products.h"

/* Rows to bytes. Behind the channels are zeros, which meet weights of 0. Space for a row, up to a multiple of LANES. */
PUBLIC void sonant_amx_frame_bytes(const void *call, const portion *own) {
    const framing *f = call;
    int64_t channels = f->channels, count = (channels + LANES - 1) / LANES * LANES;
    float *space = own->space;
    for (int64_t row = own->begin; row < own->end; row++) {
        memset(space + channels, 0, (count - channels) * sizeof(float));
        if (f->halves) {
            const uint16_t *from = (const uint16_t *)f->x + row * f->x_row;
            for (int64_t i = 0; i < channels; i += LANES)
                store(space + i, widened(from + i));
        } else
            memcpy(space, (const float *)f->x + row * f->x_row, channels * sizeof(float));
        if (f->how->scale || f->how->activation) dress_row(f->how, space, channels, count);
        uint8_t *out = (uint8_t *)f->to + row * f->stride;
        memset(out + f->stride - STRIP, 0, STRIP);
        f->scales[row] = round_bytes(space, count, f->zero, (uint8_t *)space); /* behind what is read */
        memcpy(out, space, channels);
    }
}

/* Panels [panel, panel_end) of a matrix (outputs, inputs), rows apart, zeros behind both, with what its outputs are worth
   and come to in bytes. */
PUBLIC void sonant_amx_pack_bytes(const float *from, int64_t apart, int64_t inputs, int64_t outputs, int64_t depth,
                                  int64_t panel, int64_t panel_end, int8_t *to, float *scales, int32_t *sums) {
    memset(to + panel * depth * PANEL, 0, (panel_end - panel) * depth * PANEL);
    for (int64_t output = panel * PANEL; output < panel_end * PANEL; output++) {
        scales[output] = sums[output] = 0;
        if (output >= outputs) continue;
        const float *row = from + output * apart;
        vec most = splat(1e-30f), none = {0};
        for (int64_t i = 0; i < inputs; i += LANES) {
            vec x = load_part(row + i, inputs - i);
            most = larger(most, absolute(x));
            none += 0 * x;
        }
        float scale = _mm512_reduce_max_ps((__m512)most) / BYTE_LEVELS;
        scales[output] = scale + total(none); /* no number stays none */
        int8_t *place = to + output / PANEL * depth * PANEL + output % PANEL * 4;
        for (int64_t i = 0; i < inputs; i += LANES, place += LANES * PANEL) {
            int8_t bytes[LANES];
            __m512i whole = _mm512_cvtps_epi32((__m512)(load_part(row + i, inputs - i) / scale));
            sums[output] += _mm512_reduce_add_epi32(whole);
            _mm_storeu_si128((__m128i *)bytes, _mm512_cvtepi32_epi8(whole));
            for (int k = 0; k < LANES; k += 4) memcpy(place + k * PANEL, bytes + k, 4);
        }
    }
}
#endif
