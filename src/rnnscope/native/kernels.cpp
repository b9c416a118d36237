// Counting loops of the scores. Plain C interface, called through ctypes; numpy and SciPy do the same where there is no
// compiler (see __init__.py), to the bit: everything here counts in whole numbers.
//
// target_clones makes a copy of each function for each kind of processor; which one runs is found out when the library is
// loaded, so that one binary serves all.

#include <cstdint>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EVERY_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EVERY_PROCESSOR
#endif

namespace {
constexpr int EDGES = 255;
constexpr int ROWS = 256, UNITS = 16;  // a tile: its values, and the edges of its units, stay in the nearest cache
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
                const float* __restrict e = edges + (first + j) * EDGES;
                const float* __restrict x = tile[j];
                for (int i = 0; i < ROWS; ++i) found[i] = 0;
                for (int step = 128; step; step >>= 1)
                    for (int i = 0; i < ROWS; ++i) found[i] += e[found[i] + step - 1] <= x[i] ? step : 0;
                for (int i = 0; i < rows; ++i) codes[(first + j) * time + start + i] = static_cast<uint8_t>(found[i]);
            }
        }
    }
}

// Add the row of weights (time, columns) at each time to the bin that each unit is in: counts (units, 256 >> shift, columns).
FOR_EVERY_PROCESSOR
void tally(const uint8_t* __restrict codes, const uint8_t* __restrict weights, uint32_t* __restrict counts, int64_t time,
           int64_t units, int64_t columns, int32_t shift) {
    const int64_t bins = 256 >> shift;
    for (int64_t u = 0; u < units; ++u) {
        const uint8_t* __restrict code = codes + u * time;
        uint32_t* table = counts + u * bins * columns;
        for (int64_t t = 0; t < time; ++t) {
            uint32_t* __restrict into = table + (code[t] >> shift) * columns;
            const uint8_t* __restrict row = weights + t * columns;
            for (int64_t c = 0; c < columns; ++c) into[c] += row[c];
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
