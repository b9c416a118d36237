// Words for eight numbers at once, AVX2. `lanes512.h` has the same for sixteen, with AVX-512.

constexpr int LANES = 8;
typedef __m256 V;
typedef __m256i M;

#include "touch.h"

INLINE M mask_of(int64_t lanes) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(lanes > LANES ? LANES : lanes)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE V all(float x) { return _mm256_set1_ps(x); }
INLINE bool among(int lane, M mask) { return ((__v8si)mask)[lane]; }
INLINE V load(const float* at, M mask) { return touch(at, mask), _mm256_maskload_ps(at, mask); }
INLINE void store(float* at, V x, M mask) { touch(at, mask), _mm256_maskstore_ps(at, mask, x); }
INLINE V whole(const float* at) { return _mm256_loadu_ps(at); }
INLINE V spread(const float* at, int64_t apart, M mask) {  // eight numbers so far apart; 0 where the mask is
    if (apart == 1) return load(at, mask);
    touch(at, mask, apart);
    const __m256i places = _mm256_mullo_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(static_cast<int>(apart)));
    return _mm256_mask_i32gather_ps(all(0), at, places, (V)mask, 4);
}
INLINE V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
INLINE V least(V bound, V x) { return _mm256_min_ps(bound, x); }  // x where it isn't a number
INLINE V most(V bound, V x) { return _mm256_max_ps(bound, x); }
INLINE V rounded(V x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE V above_floor(V x) { return x - _mm256_floor_ps(x); }
INLINE V times_power(V x, V n) {  // in two steps, since 2 ** n itself may be too small or too large for a float
    const __m256i half = _mm256_srai_epi32(_mm256_cvtps_epi32(n), 1), rest = _mm256_sub_epi32(_mm256_cvtps_epi32(n), half);
    const __m256i bias = _mm256_set1_epi32(127);
    return x * (V)_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23) * (V)_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23);
}
INLINE M less(V a, V b) { return (M)_mm256_cmp_ps(a, b, _CMP_LT_OQ); }
INLINE M known(V x) { return (M)_mm256_cmp_ps(x, x, _CMP_ORD_Q); }
INLINE V chosen(M mask, V x, V otherwise) { return _mm256_blendv_ps(otherwise, x, (V)mask); }
INLINE V root(V x) { return _mm256_sqrt_ps(x); }
INLINE float sum(V x) { return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7])); }
INLINE float largest(V x) {
    float most = x[0];
    for (int k = 1; k < LANES; ++k) most = x[k] > most ? x[k] : most;
    return most;
}
INLINE V inverse(V x) { return all(1) / x; }
