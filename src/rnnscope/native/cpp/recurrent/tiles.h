// Products of bfloat16 with AMX: the same two functions as in `products.h`, of squares of 16 × 16 sums in tile registers. What is
// packed there and arranged in `room.h` is what a tile of the right operand takes; of the left one rows are taken as they lie.
//
// 0-3 hold sums, 4 and 5 the left operand's rows, 6 and 7 the right one's columns, 32 terms at a time.

constexpr int64_t SQUARE = 16;

#ifdef EMULATED_TILES  // the instructions in plain words, for tests on processors that lack them
alignas(64) thread_local char registers[8][SQUARE][64];
struct Tiles {
    Tiles() {}
    ~Tiles() {}
};
template <int N>
INLINE void zero() { std::memset(registers[N], 0, sizeof registers[N]); }
template <int N>
INLINE void take(const bf16* from, int64_t row) {
    for (int64_t r = 0; r < SQUARE; ++r) std::memcpy(registers[N][r], from + r * row, 64);
}
template <int N>
INLINE void give(float* to) { std::memcpy(to, registers[N], sizeof registers[N]); }
template <int SUMS, int LEFT, int RIGHT>
INLINE void multiply_tiles() {
    const auto number = [](const char* at) {
        uint32_t bits = 0;
        std::memcpy(reinterpret_cast<char*>(&bits) + 2, at, 2);
        float x;
        std::memcpy(&x, &bits, 4);
        return x;
    };
    for (int r = 0; r < SQUARE; ++r)
        for (int c = 0; c < SQUARE; ++c) {
            float sum[2] = {}, *into = reinterpret_cast<float*>(registers[SUMS][r]) + c;
            for (int k = 0; k < SQUARE; ++k)
                for (int p = 0; p < 2; ++p) sum[p] = std::fma(number(&registers[LEFT][r][4 * k + 2 * p]), number(&registers[RIGHT][k][4 * c + 2 * p]), sum[p]);
            *into += sum[0] + sum[1];
        }
}
#else
struct Tiles {  // tile registers are in use while this lives
    Tiles() {
        struct alignas(64) { uint8_t palette = 1, start = 0, reserved[14] = {}; uint16_t bytes[16] = {}; uint8_t rows[16] = {}; } shape;
        for (int n = 0; n < 8; ++n) shape.bytes[n] = 64, shape.rows[n] = SQUARE;
        asm volatile("ldtilecfg %0" ::"m"(shape) : "memory");
    }
    ~Tiles() { asm volatile("tilerelease" ::: "memory"); }
    Tiles(const Tiles&) = delete;
    Tiles& operator=(const Tiles&) = delete;
};
template <int N>
INLINE void zero() { asm volatile("tilezero %%tmm%c0" ::"i"(N)); }
template <int N>
INLINE void take(const bf16* from, int64_t row) { asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(2 * row), "i"(N) : "memory"); }
template <int N>
INLINE void give(float* to) { asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(int64_t{64}), "i"(N) : "memory"); }
template <int SUMS, int LEFT, int RIGHT>
INLINE void multiply_tiles() { asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(SUMS), "i"(LEFT), "i"(RIGHT)); }
#endif

// Up to 32 × 32 sums, kept where vectors reach them.
template <int A, int B>
struct Sums {
    alignas(64) float at[A][B][SQUARE * SQUARE];

    Sums() {
        times<A>([&](auto a) INLINE_LAMBDA { times<B>([&](auto b) INLINE_LAMBDA { zero<2 * a + b>(); }); });
    }
    // += left · right over `depth` times 32 terms
    INLINE void add(const bf16* left, int64_t left_row, const bf16* right, int64_t right_row, int64_t depth) {
        for (int64_t k = 0; k < depth; ++k, left += 2 * SQUARE, right += SQUARE * right_row) {
            times<A>([&](auto a) INLINE_LAMBDA { take<4 + a>(left + a * SQUARE * left_row, left_row); });
            times<B>([&](auto b) INLINE_LAMBDA { take<6 + b>(right + b * 2 * SQUARE, right_row); });
            times<A>([&](auto a) INLINE_LAMBDA { times<B>([&](auto b) INLINE_LAMBDA { multiply_tiles<2 * a + b, 4 + a, 6 + b>(); }); });
        }
    }
    // out (rows, columns) = begin + the sums; `begin` may be `out`
    template <class Begin>
    INLINE void store_onto(Begin begin, float* out, int64_t out_row, int64_t rows, int64_t columns) {
        times<A>([&](auto a) INLINE_LAMBDA { times<B>([&](auto b) INLINE_LAMBDA { give<2 * a + b>(at[a][b]); }); });
        for (int64_t r = 0; r < rows; ++r)
            times<B>([&](auto b) INLINE_LAMBDA {
                const M m = mask_of(columns - b * SQUARE);
                const int64_t j = b * SQUARE;
                store(out + r * out_row + j, load(begin(r) + j, m) + whole(at[r / SQUARE][b] + r % SQUARE * SQUARE), m);
            });
    }
};

template <>
void product<bf16>(int64_t rows, const bf16* in, int64_t in_row, int64_t depth, const bf16* packed, int64_t columns, Rows begin, float* out,
                   int64_t out_row) {
    // A tile is read whole: what ends before is copied to where nothing follows, the last terms of all rows and the last rows.
    constexpr int64_t DEPTH = 2 * SQUARE;
    const int64_t deep = depth / DEPTH, over = depth % DEPTH, whole_rows = rows / SQUARE * SQUARE, last_row = (deep + 1) * DEPTH;
    Scratch<bf16> tails(over ? whole_rows * DEPTH : 0), lasts(whole_rows < rows ? SQUARE * last_row : 0);
    if (over)
        for (int64_t r = 0; r < whole_rows; ++r) std::memcpy(tails.at + r * DEPTH, in + r * in_row + deep * DEPTH, over * sizeof(bf16));
    for (int64_t r = whole_rows; r < rows; ++r) std::memcpy(lasts.at + (r - whole_rows) * last_row, in + r * in_row, depth * sizeof(bf16));
    for (int64_t first = 0; first < columns; first += WIDE * LANES) {
        const int64_t width = std::min<int64_t>(columns - first, WIDE * LANES), vectors = ceiling(width, LANES), panel_row = vectors * LANES * 2;
        for (int64_t j = 0; j < vectors; j += 2)
            of_size<2>(vectors - j, [&](auto b_) INLINE_LAMBDA {
                constexpr int B = b_;
                const bf16 *panel = packed + j * LANES * 2, *end = panel + deep * SQUARE * panel_row;
                const int64_t at = first + j * LANES;
                for (int64_t r0 = 0; r0 < whole_rows; r0 += 2 * SQUARE)
                    of_size<2>((whole_rows - r0) / SQUARE, [&](auto a_) INLINE_LAMBDA {
                        constexpr int A = a_;
                        Sums<A, B> sums;
                        sums.add(in + r0 * in_row, in_row, panel, panel_row, deep);
                        if (over) sums.add(tails.at + r0 * DEPTH, DEPTH, end, panel_row, 1);
                        sums.store_onto([&](int64_t r) INLINE_LAMBDA { return begin[r0 + r] + at; }, out + r0 * out_row + at, out_row, A * SQUARE, columns - at);
                    });
                if (whole_rows == rows) return;
                Sums<1, B> sums;
                sums.add(lasts.at, last_row, panel, panel_row, deep + (over > 0));
                sums.store_onto([&](int64_t r) INLINE_LAMBDA { return begin[whole_rows + r] + at; }, out + whole_rows * out_row + at, out_row, rows - whole_rows, columns - at);
            });
        packed += ceiling(depth, DEPTH) * SQUARE * panel_row;
    }
}

// Columns of a matrix of pairs as rows: to (16, 16) = fromᵀ, in halves that change places.
INLINE void turn(bf16* to, int64_t to_row, const bf16* from, int64_t from_row, int64_t rows) {
    __m512i v[SQUARE];
    times<SQUARE>([&](auto r) INLINE_LAMBDA { v[r] = r < rows ? _mm512_loadu_si512(from + r * from_row) : __m512i{}; });
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    times<4>([&](auto s) INLINE_LAMBDA {
        constexpr int BIT = 1 << s;
        const __m512i bit = _mm512_set1_epi32(BIT), other = _mm512_xor_si512(lane, bit), second = _mm512_set1_epi32(SQUARE);
        const __mmask16 set = _mm512_test_epi32_mask(lane, bit);
        const __m512i low = _mm512_mask_or_epi32(lane, set, other, second), high = _mm512_mask_or_epi32(other, set, lane, second);
        times<SQUARE>([&](auto r) INLINE_LAMBDA {
            if constexpr (!(r & BIT)) {
                const __m512i a = v[r], b = v[r | BIT];
                v[r] = _mm512_permutex2var_epi32(a, low, b), v[r | BIT] = _mm512_permutex2var_epi32(a, high, b);
            }
        });
    });
    times<SQUARE>([&](auto r) INLINE_LAMBDA { _mm512_storeu_si512(to + r * to_row, v[r]); });
}

template <>
void accumulate<bf16>(float* into, int64_t row, int64_t m, int64_t n, int64_t rows, Columns<bf16> down, Columns<bf16> across, Soon soon) {
    const int64_t groups = ceiling(rows, 2), deep = ceiling(groups, SQUARE), turned_row = deep * 2 * SQUARE;
    Scratch<bf16> turned(2 * SQUARE * turned_row);
    soon.share(ceiling(m, 2 * SQUARE) * ceiling(n, 2 * SQUARE));
    for (int64_t i0 = 0; i0 < m; i0 += 2 * SQUARE)
        of_size<2>(ceiling(m - i0, SQUARE), [&](auto a_) INLINE_LAMBDA {
            constexpr int A = a_;
            for (int64_t a = 0; a < A; ++a)
                for (int64_t k = 0; k < deep; ++k)
                    turn(turned.at + a * SQUARE * turned_row + k * 2 * SQUARE, turned_row,
                         down.at + (i0 + a * SQUARE) * 2 + k * SQUARE * down.row, down.row, groups - k * SQUARE);
            for (int64_t j0 = 0; j0 < n; j0 += 2 * SQUARE)
                of_size<2>(ceiling(n - j0, SQUARE), [&](auto b_) INLINE_LAMBDA {
                    constexpr int B = b_;
                    Sums<A, B> sums;
                    soon.fetch();
                    sums.add(turned.at, turned_row, across.at + j0 * 2, across.row, deep);
                    float* at = into + i0 * row + j0;
                    sums.store_onto([&](int64_t r) INLINE_LAMBDA { return at + r * row; }, at, row, std::min<int64_t>(m - i0, A * SQUARE), n - j0);
                });
        });
}

template <>
double at_the_ceiling<bf16>(int64_t times_over) {
    constexpr int64_t DEPTH = 4;
    alignas(64) static const bf16 left[DEPTH * 4 * SQUARE * SQUARE] = {}, right[DEPTH * 4 * SQUARE * SQUARE] = {};
    const Tiles tiles;
    Sums<2, 2> sums;
    for (int64_t k = 0; k < times_over; ++k) sums.add(left, DEPTH * 2 * SQUARE, right, 4 * SQUARE, DEPTH);
    return 2.0 * 4 * SQUARE * SQUARE * 2 * SQUARE * DEPTH * static_cast<double>(times_over);
}

// Whether the registers give the sums that they should, of whole numbers, which have no rounding.
inline bool tiles_are_right() {
    constexpr int64_t ROWS = 37, DEPTH = 70, COLUMNS = 45;
    Scratch<float> left(ROWS * DEPTH), right(DEPTH * COLUMNS), out(ROWS * COLUMNS), nothing(COLUMNS);
    for (int64_t k = 0; k < ROWS * DEPTH; ++k) left.at[k] = static_cast<float>(k * 7 % 11 - 5);
    for (int64_t k = 0; k < DEPTH * COLUMNS; ++k) right.at[k] = static_cast<float>(k * 5 % 13 - 6);
    Scratch<bf16> rows(ROWS * DEPTH), panels(packed_size<bf16>(DEPTH, COLUMNS));
    across(ROWS * DEPTH, [&](int64_t k, M m) INLINE_LAMBDA { store(rows.at + k, load(left.at + k, m), m); });
    pack(panels.at, right.at, DEPTH, COLUMNS, COLUMNS, 1);
    const Tiles tiles;
    product<bf16>(ROWS, rows.at, DEPTH, DEPTH, panels.at, COLUMNS, {nothing.at, 0, nullptr}, out.at, COLUMNS);
    for (int64_t r = 0; r < ROWS; ++r)
        for (int64_t j = 0; j < COLUMNS; ++j) {
            float sum = 0;
            for (int64_t k = 0; k < DEPTH; ++k) sum += left.at[r * DEPTH + k] * right.at[k * COLUMNS + j];
            if (sum != out.at[r * COLUMNS + j]) return false;
        }
    return true;
}
