// Matrix products, in tiles that stay in registers. `In` is what is multiplied: float, or bf16 in pairs. Sums are float.
//
// A sum runs along its terms in their order, whatever stands beside it: a row's values don't depend on how many rows there are.

template <class In>
constexpr int PAIR = sizeof(In) == 2 ? 2 : 1;  // terms that one instruction takes
#ifdef SMALL_TILES                             // the same with less to compile, for tests
constexpr int WIDE = 2, TALL = 2;
#else
constexpr int WIDE = 4;                        // vectors across a tile
constexpr int TALL = LANES == 16 ? 6 : 3;      // rows of a tile: 24 of 32 registers, or 12 of 16
#endif

INLINE V broadcast(const float* at) { return all(*at); }
INLINE V multiplied(V a, V b, V c, float) { return fma(a, b, c); }

template <int R, int C>
struct Tile {
    V at[R][C];
};

// tile += rows · panel, over `depth` groups of terms. Rows are `row` apart and go on by `onward` with each group.
template <int R, int C, class In>
INLINE void multiply(Tile<R, C>& tile, const In* rows, int64_t row, int64_t onward, const In* panel, int64_t next, int64_t depth) {
    for (int64_t k = 0; k < depth; ++k, rows += onward, panel += next) {
        V across[C];
        times<C>([&](auto c) INLINE_LAMBDA { across[c] = whole(panel + c * LANES * PAIR<In>); });
        times<R>([&](auto r) INLINE_LAMBDA {
            const V down = broadcast(rows + r * row);
            times<C>([&](auto c) INLINE_LAMBDA { tile.at[r][c] = multiplied(down, across[c], tile.at[r][c], In{}); });
        });
    }
}

// Calls f with the height or width of a tile as a constant.
template <int N, class F>
INLINE void of_size(int64_t n, F f) {
    if constexpr (N > 1) {
        if (n < N) return of_size<N - 1>(n, f);
    }
    f(std::integral_constant<int, N>{});
}

constexpr int64_t ceiling(int64_t n, int64_t by) { return (n + by - 1) / by; }

template <class In>  // terms that are packed together, the last ones with zeros
#ifdef TILES
constexpr int64_t DEEP = sizeof(In) == 2 ? 32 : 1;
#else
constexpr int64_t DEEP = PAIR<In>;
#endif

template <class In>
inline int64_t packed_size(int64_t depth, int64_t columns) {
    return ceiling(depth, DEEP<In>) * DEEP<In> * ceiling(columns, LANES) * LANES;
}

// A matrix as `product` wants it: panels of up to four vectors, within a panel by terms. Element (k, j) is at k · down + j · right.
template <class In>
void pack(In* to, const float* from, int64_t depth, int64_t columns, int64_t down, int64_t right) {
    for (int64_t first = 0; first < columns; first += WIDE * LANES) {
        const int64_t left = columns - first, vectors = left < WIDE * LANES ? ceiling(left, LANES) : WIDE;
        for (int64_t k = 0; k < ceiling(depth, DEEP<In>) * DEEP<In>; k += PAIR<In>)
            for (int64_t j = first; j < first + vectors * LANES; j += LANES, to += LANES * PAIR<In>) {
                const auto row = [&](int64_t at) INLINE_LAMBDA {
                    return at < depth ? spread(from + at * down + j * right, right, mask_of(columns - j)) : all(0);
                };
                if constexpr (PAIR<In> == 2) store_pairs(to, row(k), row(k + 1));
                else store(to, row(k), mask_of(LANES));
            }
    }
}

// A matrix (rows, columns) with a bias added to each row. Element (r, j) comes from r · down + j · right.
inline void lay_out(float* to, const float* from, const float* bias, int64_t rows, int64_t columns, int64_t down, int64_t right) {
    for (int64_t j0 = 0; j0 < columns; j0 += LANES) {  // strips, so that lines of the cache are used whole
        const M m = mask_of(columns - j0);
        const V more = load(bias + j0, m);
        for (int64_t r = 0; r < rows; ++r) store(to + r * columns + j0, spread(from + r * down + j0 * right, right, m) + more, m);
    }
}

// Where the rows of a matrix lie: one after the other, all the same (row = 0), or chosen by numbers.
struct Rows {
    const float* at;
    int64_t row;
    const int64_t* ids;
    INLINE const float* operator[](int64_t r) const { return at + (ids ? ids[r] : r) * row; }
};

// out (rows, columns) = begin + in (rows, depth) · packed. `out` and `begin` may be the same.
template <class In>
void product(int64_t rows, const In* in, int64_t in_row, int64_t depth, const In* packed, int64_t columns, Rows begin, float* out,
             int64_t out_row) {
    const int64_t groups = ceiling(depth, PAIR<In>);
    for (int64_t first = 0; first < columns; first += WIDE * LANES) {
        const int64_t left = columns - first;
        of_size<WIDE>(left < WIDE * LANES ? ceiling(left, LANES) : WIDE, [&](auto c_) INLINE_LAMBDA {
            constexpr int C = c_;
            const M last = mask_of(left - (C - 1) * LANES), every = mask_of(LANES);
            for (int64_t r0 = 0; r0 < rows; r0 += TALL)
                of_size<TALL>(rows - r0, [&](auto r_) INLINE_LAMBDA {
                    constexpr int R = r_;
                    Tile<R, C> tile;
                    times<R>([&](auto r) INLINE_LAMBDA {
                        const float* at = begin[r0 + r] + first;
                        times<C>([&](auto c) INLINE_LAMBDA { tile.at[r][c] = load(at + c * LANES, c == C - 1 ? last : every); });
                    });
                    multiply<R, C, In>(tile, in + r0 * in_row, in_row, PAIR<In>, packed, C * LANES * PAIR<In>, groups);
                    times<R>([&](auto r) INLINE_LAMBDA {
                        float* at = out + (r0 + r) * out_row + first;
                        times<C>([&](auto c) INLINE_LAMBDA { store(at + c * LANES, tile.at[r][c], c == C - 1 ? last : every); });
                    });
                });
            packed += C * LANES * PAIR<In> * groups;
        });
    }
}

// What `accumulate` multiplies: the rows of a matrix, whole vectors wide; those of bf16 two by two, the pairs side by side.
template <class In>
struct Columns {
    const In* at;
    int64_t row;  // from one group to the next
};

// Calls f for each vector of a row, with a mask that is known when this is compiled but for the last: masks cost time.
template <class F>
INLINE void across(int64_t columns, F f) {
    int64_t j = 0;
    for (; j + LANES <= columns; j += LANES) f(j, mask_of(LANES));
    if (j < columns) f(j, mask_of(columns - j));
}

inline void arrange(float* to, int64_t row, const float* from, int64_t from_row, int64_t rows, int64_t columns) {
    for (int64_t r = 0; r < rows; ++r)
        across(columns, [&](int64_t j, M m) INLINE_LAMBDA { store(to + r * row + j, load(from + r * from_row + j, m), mask_of(LANES)); });
}
#ifdef BFLOAT16
inline void arrange(bf16* to, int64_t row, const bf16* from, int64_t from_row, int64_t rows, int64_t columns) {
    for (int64_t r = 0; r < rows; r += 2)
        across(columns, [&](int64_t j, M m) INLINE_LAMBDA {
            store_pairs(to + r / 2 * row + 2 * j, from + r * from_row + j, r + 1 < rows ? from + (r + 1) * from_row + j : nullptr, m);
        });
}
#endif

// What will be read next and is no longer in a near cache: fetched little by little while products are made, which leave the way to
// memory idle.
class Soon {
    struct {
        const char* at;
        int64_t lines;
    } parts[4] = {};
    int64_t count = 0, part = 0, each = 0;

  public:
    void add(const void* at, int64_t bytes) { parts[count++] = {static_cast<const char*>(at), bytes / 64}; }
    void share(int64_t times_over) {  // in how many portions
        int64_t lines = 0;
        for (int64_t k = 0; k < count; ++k) lines += parts[k].lines;
        each = ceiling(lines, times_over);
    }
    INLINE void fetch() {
        for (int64_t k = 0; k < each && part < count;) {
            auto& now = parts[part];
            if (now.lines == 0) {
                ++part;
                continue;
            }
            _mm_prefetch(now.at, _MM_HINT_T1);
            now.at += 64, --now.lines, ++k;
        }
    }
};

// into (m, n), its rows `row` apart, += downᵀ (m, rows) · across (rows, n)
template <class In>
void accumulate(float* into, int64_t row, int64_t m, int64_t n, int64_t rows, Columns<In> down, Columns<In> across, Soon soon = {}) {
    const int64_t groups = ceiling(rows, PAIR<In>);
    soon.share(ceiling(n, WIDE * LANES) * ceiling(m, TALL));
    for (int64_t j0 = 0; j0 < n; j0 += WIDE * LANES) {
        const int64_t left = n - j0;
        of_size<WIDE>(left < WIDE * LANES ? ceiling(left, LANES) : WIDE, [&](auto c_) INLINE_LAMBDA {
            constexpr int C = c_;
            const M last = mask_of(left - (C - 1) * LANES), every = mask_of(LANES);
            for (int64_t i0 = 0; i0 < m; i0 += TALL)
                of_size<TALL>(m - i0, [&](auto r_) INLINE_LAMBDA {
                    constexpr int R = r_;
                    Tile<R, C> tile;
                    float* at = into + i0 * row + j0;
                    soon.fetch();
                    times<R>([&](auto r) INLINE_LAMBDA {
                        times<C>([&](auto c) INLINE_LAMBDA { tile.at[r][c] = load(at + r * row + c * LANES, c == C - 1 ? last : every); });
                    });
                    multiply<R, C, In>(tile, down.at + i0 * PAIR<In>, PAIR<In>, down.row, across.at + j0 * PAIR<In>, across.row, groups);
                    times<R>([&](auto r) INLINE_LAMBDA {
                        times<C>([&](auto c) INLINE_LAMBDA { store(at + r * row + c * LANES, tile.at[r][c], c == C - 1 ? last : every); });
                    });
                });
        });
    }
}

// The most that products can reach here: a whole tile over and over, from operands that the nearest cache holds. Returns the
// multiplications and additions that were done.
template <class In>
double at_the_ceiling(int64_t times_over) {
    constexpr int DEPTH = 32;
    alignas(64) static const In rows[TALL * DEPTH * PAIR<In>] = {}, panel[WIDE * LANES * DEPTH * PAIR<In>] = {};
    Tile<TALL, WIDE> tile = {};
    for (int64_t k = 0; k < times_over; ++k) {
        multiply<TALL, WIDE, In>(tile, rows, DEPTH * PAIR<In>, PAIR<In>, panel, WIDE * LANES * PAIR<In>, DEPTH);
        asm volatile("" ::: "memory");
    }
    float kept[LANES];
    times<TALL>([&](auto r) INLINE_LAMBDA { times<WIDE>([&](auto c) INLINE_LAMBDA { store(kept, tile.at[r][c], mask_of(LANES)); asm volatile("" ::"r"(kept) : "memory"); }); });
    return 2.0 * TALL * WIDE * LANES * DEPTH * PAIR<In> * static_cast<double>(times_over);
}
