// Recurrent layers over a stretch of text: forward with every gate and state, and backward; the softmax; the update. Plain C interface, called through
// ctypes; see `recurrent.py`. Where this can't be compiled or the processor lacks AVX2, torch does the same, slower.
//
// The same source is compiled for each kind of processor; which one runs is chosen when it is called.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#if !(defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__))
#error "for x86-64 and GCC"
#endif

#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INLINE inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))

typedef uint16_t bf16;
enum half : uint16_t {};
typedef int32_t __attribute__((may_alias, aligned(2))) uncertain_int;

namespace {
#include "recurrent/calls.h"

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")
#define BFLOAT16
#define TILES
namespace amx {
#include "recurrent/lanes512.h"
#include "recurrent/several.h"
#include "recurrent/functions.h"
#include "recurrent/products.h"
#include "recurrent/room.h"
#include "recurrent/tiles.h"
#include "recurrent/steps.h"
#include "recurrent/layer.h"
#include "recurrent/readout.h"
#include "recurrent/descent.h"
}
#undef TILES
namespace avx512_bf16 {
#include "recurrent/lanes512.h"
#include "recurrent/several.h"
#include "recurrent/functions.h"
#include "recurrent/products.h"
#include "recurrent/room.h"
#include "recurrent/steps.h"
#include "recurrent/layer.h"
#include "recurrent/readout.h"
#include "recurrent/descent.h"
}
#undef BFLOAT16
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
namespace avx512 {
#include "recurrent/lanes512.h"
#include "recurrent/several.h"
#include "recurrent/functions.h"
#include "recurrent/products.h"
#include "recurrent/room.h"
#include "recurrent/steps.h"
#include "recurrent/layer.h"
#include "recurrent/readout.h"
#include "recurrent/descent.h"
}
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
#include "recurrent/lanes256.h"
#include "recurrent/several.h"
#include "recurrent/functions.h"
#include "recurrent/products.h"
#include "recurrent/room.h"
#include "recurrent/steps.h"
#include "recurrent/layer.h"
#include "recurrent/readout.h"
#include "recurrent/descent.h"
}
#pragma GCC pop_options

enum Paths { NONE, AVX2, AVX512, AVX512_BF16, AMX };  // each has all that those before it have; float32 needs no more than AVX512
enum Tile_use { NOT_THERE, REFUSED, WRONG, USED };

// Numbers below the smallest normal one take a hundred times as long: they count as 0 while this lives.
struct Flushed {
    const unsigned before = _mm_getcsr();
    Flushed() { _mm_setcsr(before | _MM_FLUSH_ZERO_ON | _MM_DENORMALS_ZERO_ON); }
    ~Flushed() { _mm_setcsr(before); }
    Flushed(const Flushed&) = delete;
    Flushed& operator=(const Flushed&) = delete;
};
}  // namespace

extern "C" {

// Of what Python hands over: it looks whether it was made for these sources.
int64_t layout() { return sizeof(Layer) << 30 | sizeof(Back) << 20 | sizeof(Readout) << 10 | sizeof(Descent); }

// Whether tile registers are used: Linux has to allow a process their room, and they have to give the right sums.
int32_t tile_use() {
    static const int32_t found = [] {
#ifndef EMULATED_TILES
        unsigned a, b, c, d;
        if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return NOT_THERE;
        if (syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* of tiles' data */)) return REFUSED;
#endif
        return amx::tiles_are_right() ? USED : WRONG;
    }();
    return found;
}

// The best path that this processor has.
int32_t best_path() {
    __builtin_cpu_init();
    const bool two = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool five = two && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    const bool brain = five && __builtin_cpu_supports("avx512bf16");
    return brain && tile_use() == USED ? AMX : brain ? AVX512_BF16 : five ? AVX512 : two ? AVX2 : NONE;
}

int64_t packed_size(int32_t path, int32_t reduced, int64_t depth, int64_t columns) {
    if (reduced) return (path == AMX ? amx::packed_size<bf16> : avx512_bf16::packed_size<bf16>)(depth, columns) * 2;
    return (path == AVX2 ? avx2::packed_size<float>(depth, columns) : avx512::packed_size<float>(depth, columns)) * 4;
}

void pack(int32_t path, int32_t reduced, void* to, const float* from, int64_t depth, int64_t columns, int64_t down, int64_t right) {
    if (reduced) return (path == AMX ? amx::pack<bf16> : avx512_bf16::pack<bf16>)(static_cast<bf16*>(to), from, depth, columns, down, right);
    (path == AVX2 ? avx2::pack<float> : avx512::pack<float>)(static_cast<float*>(to), from, depth, columns, down, right);
}

void lay_out(int32_t path, float* to, const float* from, const float* bias, int64_t rows, int64_t columns, int64_t down, int64_t right) {
    (path == AVX2 ? avx2::lay_out : avx512::lay_out)(to, from, bias, rows, columns, down, right);
}

// A stretch, or, with `back`, its way back.
void walk(int32_t path, int32_t reduced, const Layer* layer, const Back* back) {
    const Flushed flushed;
    if (reduced && path == AMX) {
        const amx::Tiles tiles;
        return amx::walk<bf16>(*layer, back);
    }
    if (reduced) return avx512_bf16::walk<bf16>(*layer, back);
    (path == AVX2 ? avx2::walk<float> : avx512::walk<float>)(*layer, back);
}

double sum_of_squares(int32_t path, const float* at, int64_t n) {
    const Flushed flushed;
    return (path == AVX2 ? avx2::sum_of_squares : avx512::sum_of_squares)(at, n);
}

void descend(int32_t path, const Descent* descent) {
    const Flushed flushed;
    (path == AVX2 ? avx2::descend : avx512::descend)(*descent);
}

// For benchmarks; see products.h.
double at_the_ceiling(int32_t path, int32_t reduced, int64_t times_over) {
    if (reduced) return (path == AMX ? amx::at_the_ceiling<bf16> : avx512_bf16::at_the_ceiling<bf16>)(times_over);
    return (path == AVX2 ? avx2::at_the_ceiling<float> : avx512::at_the_ceiling<float>)(times_over);
}

void read_out(int32_t path, int32_t reduced, Readout* readout) {
    const Flushed flushed;
    if (reduced && path == AMX) {
        const amx::Tiles tiles;
        return amx::read_out<bf16>(*readout);
    }
    if (reduced) return avx512_bf16::read_out<bf16>(*readout);
    (path == AVX2 ? avx2::read_out<float> : avx512::read_out<float>)(*readout);
}
}
