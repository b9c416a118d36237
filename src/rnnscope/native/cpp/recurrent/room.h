// Memory for some rows at a time, and sums of them.

constexpr int64_t TOGETHER = 96;  // rows, about: what stays in the cache
#ifdef TILES                      // and over how many gradients of weights are summed at once
constexpr int64_t SUMMED = 960;   // products so fast that fetching and storing the sums would take longer
#else
constexpr int64_t SUMMED = TOGETHER;
#endif

constexpr int64_t even(int64_t n) { return n + (n & 1); }

template <class In>
struct Scratch {
    In* at;
    explicit Scratch(int64_t size) : at(static_cast<In*>(::operator new(size * sizeof(In), std::align_val_t(64)))) {
        std::memset(static_cast<void*>(at), 0, size * sizeof(In));  // what pads must be a number
    }
    ~Scratch() { ::operator delete(at, std::align_val_t(64)); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
};

// Numbers from one row to the next: rows that lie a multiple of 32 vectors apart would meet in the same few places of the cache.
constexpr int64_t apart(int64_t columns) {
    const int64_t vectors = ceiling(columns, LANES);
    return (vectors % 32 ? vectors : vectors + 1) * LANES;
}

// Room for what `accumulate` multiplies, of some steps. A vector more: where it reads columns from the middle on, to a whole one.
template <class In>
struct Arranged {
    Scratch<In> room;
    int64_t columns, row, groups;
    Arranged(int64_t steps, int64_t rows, int64_t columns_)
        : room(ceiling(steps * ceiling(rows, PAIR<In>) * PAIR<In>, DEEP<In>) * DEEP<In> * apart(columns_) + LANES * PAIR<In>), columns(columns_),
          row(apart(columns_) * PAIR<In>), groups(ceiling(rows, PAIR<In>)) {}
    void take(int64_t step, const In* from, int64_t from_row, int64_t rows) { arrange(room.at + step * groups * row, row, from, from_row, rows, columns); }
    Columns<In> from(int64_t column) const { return {room.at + column * PAIR<In>, row}; }
};

// A matrix that is summed as its transpose, (rows, columns), and added to where it belongs, (columns, rows), at the end.
struct Turned {
    Scratch<float> sums;
    float* into;
    const int64_t rows, columns, row;
    Turned(float* into_, int64_t rows_, int64_t columns_)
        : sums(rows_ * apart(columns_)), into(into_), rows(rows_), columns(columns_), row(apart(columns_)) {}
    ~Turned() {
        for (int64_t i0 = 0; i0 < rows; i0 += LANES)  // strips, so that lines of the cache are used whole
            for (int64_t j = 0; j < columns; ++j) {
                float* to = into + j * rows + i0;
                const M m = mask_of(rows - i0);
                store(to, load(to, m) + spread(sums.at + i0 * row + j, row, m), m);
            }
    }
    Turned(const Turned&) = delete;
    Turned& operator=(const Turned&) = delete;
};

// into (columns) += the sum of rows
template <class In>
INLINE void add_up(float* into, const In* from, int64_t row, int64_t columns, int64_t rows) {
    across(columns, [&](int64_t j, M m) INLINE_LAMBDA {
        V sum = load(into + j, m);
        for (int64_t r = 0; r < rows; ++r) sum = sum + load(from + r * row + j, m);
        store(into + j, sum, m);
    });
}
