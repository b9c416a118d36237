// Counting loops of the scores. Plain C interface, called through ctypes; numpy and SciPy do the same where there is no
// compiler (see __init__.py), to the bit: everything here counts in whole numbers.
//
// target_clones makes a copy of each function for each kind of processor; which one runs is found out when the library is
// loaded, so that one binary serves all.

#include <cstdint>
#include <cstring>
#include <new>

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
// The same, twice as fast: every sixteenth edge is compared at once, then those between two of them.
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

const auto find_best = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("popcnt") ? find_by_sixteen : find;
#else
const auto find_best = find;
#endif

// Counting.
constexpr int BLOCK = 16384;  // the more rows, the less often the tables of counts, which no cache holds, are gone through
constexpr int STRANDS = 4, LINE = 64, WIDTH = 32;
typedef uint8_t Line __attribute__((vector_size(LINE), may_alias));
typedef uint8_t Bytes __attribute__((vector_size(WIDTH), may_alias));
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

// Room for rows of whole lines of the cache.
struct Lines {
    uint8_t* const rows;
    explicit Lines(int64_t row) : rows(static_cast<uint8_t*>(::operator new(BLOCK * row, std::align_val_t(LINE)))) {}
    ~Lines() { ::operator delete(rows, std::align_val_t(LINE)); }
    Lines(const Lines&) = delete;
    Lines& operator=(const Lines&) = delete;
};

INLINE void widen(Bytes bytes, Halves& into) { into += __builtin_convertvector(bytes, Halves); }

INLINE void store(Halves halves, uint32_t* into) {
    *reinterpret_cast<Words*>(into) += __builtin_convertvector(halves, Words);
}

// Weights of at most 127: two fit into a byte, 516 into a half.
INLINE void add_weights(const uint8_t* from, int64_t stride, const uint16_t* rows, int length, uint32_t* into) {
    for (int done = 0; done < length;) {
        const int stop = length - done < 512 ? length : done + 512;
        Halves low = {}, high = {};
        for (; done + 2 <= stop; done += 2) {
            const Bytes* one = reinterpret_cast<const Bytes*>(from + rows[done] * stride);
            const Bytes* other = reinterpret_cast<const Bytes*>(from + rows[done + 1] * stride);
            widen(one[0] + other[0], low);
            widen(one[1] + other[1], high);
        }
        if (done < stop) {
            const Bytes* one = reinterpret_cast<const Bytes*>(from + rows[done++] * stride);
            widen(one[0], low);
            widen(one[1], high);
        }
        store(low, into);
        store(high, into + WIDTH);
    }
}

// Ones, those of 128 columns in the two halves of 64 bytes: 15 fit there, all of a block into the halves of a word.
constexpr int FEW = 15;

INLINE void add_few(const uint8_t* from, int64_t stride, const uint16_t* rows, int length, Halves* sums) {
    Line line = {};
#pragma GCC unroll 15
    for (int i = 0; i < length; ++i) line += *reinterpret_cast<const Line*>(from + rows[i] * stride);
    const Line low = line & FEW, high = line >> 4;
    const Bytes* parts[] = {reinterpret_cast<const Bytes*>(&low), reinterpret_cast<const Bytes*>(&high)};
    for (int k = 0; k < 4; ++k) widen(parts[k / 2][k % 2], sums[k]);
}

INLINE void add_ones(const uint8_t* from, int64_t stride, const uint16_t* rows, int length, uint32_t* into) {
    Halves sums[4] = {};
    for (; length >= FEW; rows += FEW, length -= FEW) add_few(from, stride, rows, FEW, sums);
    add_few(from, stride, rows, length, sums);
    for (int k = 0; k < 4; ++k) store(sums[k], into + k * WIDTH);
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
// row of ones and zeros (time, classes): counts (units, 256, columns), class_counts (units, 256 >> shift, classes). Columns come
// in multiples of 64, classes of 128.
FOR_EVERY_PROCESSOR
void tally(const uint8_t* codes, const uint8_t* weights, const uint8_t* ones, uint32_t* counts, uint32_t* class_counts,
           int64_t time, int64_t units, int64_t columns, int64_t classes, int32_t shift) {
    Order order;
    Lines lines(columns), pairs(classes / 2);
    for (int64_t start = 0; start < time; start += BLOCK) {
        const int length = time - start < BLOCK ? static_cast<int>(time - start) : BLOCK;
        std::memcpy(lines.rows, weights + start * columns, length * columns);
        for (int64_t line = 0; line < length * classes / (2 * LINE); ++line) {
            const uint8_t* __restrict from = ones + start * classes + 2 * LINE * line;
            uint8_t* __restrict to = pairs.rows + LINE * line;
            for (int k = 0; k < LINE; ++k) to[k] = static_cast<uint8_t>(from[k] | from[LINE + k] << 4);
        }
        for (int64_t u = 0; u < units; ++u) {
            sort(codes + u * time + start, length, order);
            uint32_t* into = counts + u * 256 * columns;
            for (int bin = 0, first = 0; bin < 256; first = order.ends[bin++], into += columns)
                for (int64_t c = 0; c < columns; c += LINE)
                    add_weights(lines.rows + c, columns, order.rows + first, order.ends[bin] - first, into + c);
            into = class_counts + u * (256 >> shift) * classes;
            for (int bin = (1 << shift) - 1, first = 0; bin < 256; first = order.ends[bin], bin += 1 << shift, into += classes)
                for (int64_t c = 0; c < classes; c += 2 * LINE)
                    add_ones(pairs.rows + c / 2, classes / 2, order.rows + first, order.ends[bin] - first, into + c);
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
