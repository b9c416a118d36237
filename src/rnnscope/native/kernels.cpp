// Counting loops of the scores. Plain C interface, called through ctypes; numpy and SciPy do the same where there is no
// compiler (see __init__.py), to the bit: everything here counts in whole numbers.
//
// target_clones makes a copy of each function for each kind of processor; which one runs is found out when the library is
// loaded, so that one binary serves all.

#include <cstdint>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>
#define KINDS_ARE_KNOWN
#define FOR_EVERY_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EVERY_PROCESSOR
#endif
#define INLINE inline __attribute__((always_inline))

namespace {
// Finding bins.
constexpr int EDGES = 255;
constexpr int ROWS = 256, UNITS = 16;  // a tile: its values, and the edges of its units, stay in the nearest cache

FOR_EVERY_PROCESSOR
void find(const float* __restrict values, const float* __restrict edges, int32_t* __restrict found) {
    for (int i = 0; i < ROWS; ++i) found[i] = 0;
    for (int step = 128; step; step >>= 1)
        for (int i = 0; i < ROWS; ++i) found[i] += edges[found[i] + step - 1] <= values[i] ? step : 0;
}

#ifdef KINDS_ARE_KNOWN
// The same, three times as fast: every sixteenth edge is compared at once, then those between two of them.
__attribute__((target("avx512f,popcnt"))) void find_by_sixteen(const float* values, const float* edges, int32_t* found) {
    float all[EDGES + 1], sixteenths[16];
    for (int k = 0; k < EDGES; ++k) all[k] = edges[k];
    all[EDGES] = __builtin_inff();
    for (int k = 0; k < 16; ++k) sixteenths[k] = all[16 * k + 15];
    const __m512 far = _mm512_loadu_ps(sixteenths);
    for (int i = 0; i < ROWS; ++i) {
        const __m512 value = _mm512_set1_ps(values[i]);
        const int first = 16 * __builtin_popcount(_mm512_cmp_ps_mask(far, value, _CMP_LE_OQ));
        found[i] = first + __builtin_popcount(_mm512_cmp_ps_mask(_mm512_loadu_ps(all + first), value, _CMP_LE_OQ));
    }
}

const auto find_best = __builtin_cpu_supports("avx512f") ? find_by_sixteen : find;
#else
const auto find_best = find;
#endif

// Counting.
constexpr int BLOCK = 8192, WIDTH = 32, STRANDS = 4;
typedef uint8_t Bytes __attribute__((vector_size(WIDTH), aligned(1), may_alias));
typedef uint16_t Halves __attribute__((vector_size(2 * WIDTH)));
typedef uint32_t Words __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));

struct Order {
    uint16_t rows[BLOCK];  // those of each bin side by side, …
    int32_t ends[256];     // … which end here
};

// In strands, since a unit tends to stay in a bin, and each count waits for the one before it.
INLINE void sort(const uint8_t* __restrict codes, int length, Order& order) {
    int32_t places[STRANDS][256] = {};
    const int strand = length / STRANDS, rest = STRANDS * strand;
    for (int i = 0; i < strand; ++i)
        for (int s = 0; s < STRANDS; ++s) ++places[s][codes[s * strand + i]];
    for (int i = rest; i < length; ++i) ++places[0][codes[i]];
    for (int bin = 0, place = 0; bin < 256; ++bin) {
        for (int s = 0; s < STRANDS; ++s) {
            const int32_t count = places[s][bin];
            places[s][bin] = place;
            place += count;
        }
        order.ends[bin] = place;
    }
    for (int i = 0; i < strand; ++i)
        for (int s = 0; s < STRANDS; ++s)
            order.rows[places[s][codes[s * strand + i]]++] = static_cast<uint16_t>(s * strand + i);
    for (int i = rest; i < length; ++i) order.rows[places[0][codes[i]]++] = static_cast<uint16_t>(i);
}

// Add some rows to COUNT × WIDTH columns of a bin: in bytes as long as they hold the sum, then in halves.
template <int COUNT>
INLINE void add(const uint8_t* from, int64_t columns, const uint16_t* rows, int length, int few,
                                               uint32_t* into) {
    for (int done = 0; done < length;) {
        Halves halves[COUNT] = {};
        for (int group = 0; group < 256 && done < length; ++group) {
            Bytes bytes[COUNT] = {};
            const int stop = length - done < few ? length : done + few;
            for (; done < stop; ++done) {
                const uint8_t* row = from + rows[done] * columns;
                for (int k = 0; k < COUNT; ++k) bytes[k] += *reinterpret_cast<const Bytes*>(row + k * WIDTH);
            }
            for (int k = 0; k < COUNT; ++k) halves[k] += __builtin_convertvector(bytes[k], Halves);
        }
        for (int k = 0; k < COUNT; ++k)
            *reinterpret_cast<Words*>(into + k * WIDTH) += __builtin_convertvector(halves[k], Words);
    }
}

INLINE void add_all(const Order& order, const uint8_t* weights, int64_t columns, int shift,
                                                   int few, uint32_t* into) {
    for (int bin = 0, first = 0; bin < 256 >> shift; ++bin, into += columns) {
        const int last = order.ends[((bin + 1) << shift) - 1];
        int64_t column = 0;
        for (; column + 2 * WIDTH <= columns; column += 2 * WIDTH)
            add<2>(weights + column, columns, order.rows + first, last - first, few, into + column);
        if (column < columns) add<1>(weights + column, columns, order.rows + first, last - first, few, into + column);
        first = last;
    }
}
}  // namespace

extern "C" {

// values (time, units) → codes (units, time): how many of a unit's edges, ascending, are at most the value.
FOR_EVERY_PROCESSOR
void assign(const float* __restrict values, const float* __restrict edges, uint8_t* __restrict codes, int64_t time,
            int64_t units) {
    float tile[UNITS][ROWS] = {};
    int32_t found[ROWS];
    for (int64_t start = 0; start < time; start += ROWS) {
        const int rows = time - start < ROWS ? static_cast<int>(time - start) : ROWS;
        for (int64_t first = 0; first < units; first += UNITS) {
            const int width = units - first < UNITS ? static_cast<int>(units - first) : UNITS;
            for (int i = 0; i < rows; ++i)
                for (int j = 0; j < width; ++j) tile[j][i] = values[(start + i) * units + first + j];
            for (int j = 0; j < width; ++j) {
                find_best(tile[j], edges + (first + j) * EDGES, found);
                for (int i = 0; i < rows; ++i) codes[(first + j) * time + start + i] = static_cast<uint8_t>(found[i]);
            }
        }
    }
}

// Add to the bin that each unit is in the row of weights (time, columns) at each time, and to bins 2 ** shift times as wide the
// row of ones and zeros (time, classes): counts (units, 256, columns), class_counts (units, 256 >> shift, classes).
FOR_EVERY_PROCESSOR
void tally(const uint8_t* codes, const uint8_t* weights, const uint8_t* ones, uint32_t* counts, uint32_t* class_counts,
           int64_t time, int64_t units, int64_t columns, int64_t classes, int32_t shift) {
    Order order;
    for (int64_t start = 0; start < time; start += BLOCK) {
        const int length = time - start < BLOCK ? static_cast<int>(time - start) : BLOCK;
        for (int64_t u = 0; u < units; ++u) {
            sort(codes + u * time + start, length, order);
            add_all(order, weights + start * columns, columns, 0, 2, counts + u * 256 * columns);
            add_all(order, ones + start * classes, classes, shift, 255, class_counts + u * (256 >> shift) * classes);
        }
    }
}

// Where runs begin: rises (units, 257) and falls (units, 257), as differences along the thresholds. `rows` says of each
// time whether it goes on (0), begins a text anew (1), or only says what came before the next (2).
void runs(const uint8_t* __restrict codes, const uint8_t* __restrict rows, int64_t* __restrict rises,
          int64_t* __restrict falls, int64_t time, int64_t units) {
    for (int64_t u = 0; u < units; ++u) {
        const uint8_t* __restrict code = codes + u * time;
        int64_t* __restrict rise = rises + u * 257;
        int64_t* __restrict fall = falls + u * 257;
        int before = 0;
        for (int64_t t = 0; t < time; ++t) {
            const int now = code[t];
            if (rows[t] == 0) {  // without branches: they could not be foreseen
                const int up = now > before, down = now < before;
                rise[before + 1] += up, rise[now + 1] -= up;
                fall[now + 1] += down, fall[before + 1] -= down;
            } else if (rows[t] == 1) {
                ++rise[0], --rise[now + 1], ++fall[now + 1], --fall[256];
            }
            before = now;
        }
    }
}
}
