// A layer over a stretch of text, and its way back. What stays in the cache is used at once: inputs are multiplied, and gradients
// of weights summed, a few steps at a time.

template <class Cell, class In>
struct Walk {
    const Layer& l;
    const int64_t rows = l.to - l.from, n = l.units, columns = Cell::columns * n;

    const In* before(int64_t t) const {  // h₋₁ as products want it
        if constexpr (PAIR<In> > 1) return static_cast<const In*>(l.reduced) + (t * l.batch + l.from) * l.hidden_row;
        else return l.hidden + (t * l.batch + l.from) * n;
    }
    int64_t before_row() const { return PAIR<In> > 1 ? l.hidden_row : n; }
    const In* received(int64_t t, const Back& b) const { return static_cast<const In*>(b.received) + (t * l.batch + l.from) * b.received_row; }
    const In* x(int64_t t) const { return static_cast<const In*>(l.x) + (t * l.batch + l.from) * l.x_row; }

    // `sums`: where gates come in, if that isn't where they go
    Step<In> step(int64_t t, float* sums = nullptr) const {
        const int64_t now = t * l.batch + l.from, after = now + l.batch;
        Kept<In>* gates = static_cast<Kept<In>*>(l.gates) + now * Cell::saved * n;
        float *cells = l.cells ? l.cells + after * n : nullptr, *cells_before = l.cells ? l.cells + now * n : nullptr;
        if constexpr (PAIR<In> > 1) {
            float* hidden = l.hidden + l.from * n;
            const bool wanted = Cell::passes || t + 1 == l.time;
            return {rows, n, sums, gates, cells, wanted ? hidden : nullptr, cells_before, hidden, static_cast<In*>(l.reduced) + after * l.hidden_row, before(t), l.hidden_row, t, l.from, l.held};
        } else {
            return {rows, n, gates, gates, cells, l.hidden + after * n, cells_before, l.hidden + now * n, nullptr, before(t), n, t, l.from, l.held};
        }
    }

    // What the way back reads of a step, if there is one.
    Soon soon(int64_t t, const Back& b) const {
        Soon found;
        if (t < 0) return found;
        const Step<In> s = step(t);
        found.add(s.gates, rows * Cell::saved * n * sizeof(Kept<In>));
        found.add(before(t), rows * before_row() * sizeof(In));
        if (l.cells) found.add(s.cells_before, rows * n * sizeof(float));
        found.add(received(t, b), rows * b.received_row * sizeof(In));
        return found;
    }

    void forward() const {
        const int64_t row = Cell::saved * n, some = l.inputs ? std::max<int64_t>(1, TOGETHER / rows) : 1, opened_row = even(n);
        Scratch<In> opened(std::is_same_v<Cell, PaperGru> ? rows * opened_row : 0);
        Scratch<float> room(PAIR<In> > 1 ? some * rows * row : 0);
        for (int64_t t = 0; t < l.time; ++t) {
            const Step<In> s = step(t, room.at + t % some * rows * row);
            if (l.inputs && t % some == 0) {
                const int64_t steps = std::min(some, l.time - t);
                const bool together = rows == l.batch;  // steps lie one after the other
                for (int64_t k = 0; k < (together ? 1 : steps); ++k)
                    product<In>(together ? steps * rows : rows, x(t + k), l.x_row, l.inputs, static_cast<const In*>(l.input_panels), columns,
                                {l.begin, 0, nullptr}, s.sums + k * (PAIR<In> > 1 ? rows : l.batch) * row, row);
            }
            const Rows sums = l.inputs ? Rows{s.sums, row, nullptr} : Rows{l.begin, columns, l.ids + t * l.batch + l.from};
            const In* panels = static_cast<const In*>(l.panels);
            if constexpr (std::is_same_v<Cell, Rnn> || std::is_same_v<Cell, Lstm>) {
                product<In>(rows, before(t), before_row(), n, panels, columns, sums, s.sums, row);
            } else {
                const In* candidate = static_cast<const In*>(l.candidate_panels);
                product<In>(rows, before(t), before_row(), n, panels, 2 * n, sums, s.sums, row);
                if constexpr (std::is_same_v<Cell, Gru>) {
                    if (!l.inputs)
                        for (int64_t r = 0; r < rows; ++r) std::memcpy(s.sums + r * row + 2 * n, sums[r] + 2 * n, n * sizeof(float));
                    product<In>(rows, before(t), before_row(), n, candidate, n, {l.bias, 0, nullptr}, s.sums + 3 * n, row);
                } else {
                    Cell::open(s, opened.at, opened_row);
                    product<In>(rows, opened.at, opened_row, n, candidate, n, {sums.at + 2 * n, sums.row, sums.ids}, s.sums + 2 * n, row);
                }
            }
            Cell::forward(s);
        }
    }

    void backward(const Back& b) const {
        const int64_t some = std::max<int64_t>(1, std::min(SUMMED / rows, l.time)), width = Cell::deltas * n, delta_row = even(width) + LANES;
        constexpr bool paper = std::is_same_v<Cell, PaperGru>;
        const int64_t opened_row = even(n), wide = l.inputs;
        Scratch<In> delta(rows * delta_row), opened(paper ? rows * opened_row : 0);
        Scratch<float> inner(paper ? rows * n : 0), to_x(rows * wide), zeros(std::max(n, wide));
        const Rows nothing = {zeros.at, 0, nullptr};
        const Turned to_recurrent(b.to_recurrent, n, columns), to_input(b.to_input, l.inputs ? l.inputs : l.symbols, columns);
        Arranged<In> deltas(some, rows, width), hiddens(some, rows, n), openeds(some, rows, paper ? n : 0), inputs(some, rows, wide);
        for (int64_t t = l.time - 1, kept = 0; t >= 0; --t) {
            const Step<In> s = step(t);
            const Backward<In> back = {received(t, b), b.received_row,
                                       b.to_hidden + l.from * n, b.to_cell ? b.to_cell + l.from * n : nullptr, delta.at, delta_row};
            const Rows carried = Cell::passes ? Rows{back.hidden, n, nullptr} : nothing;
            const In* panels = static_cast<const In*>(b.panels);
            if constexpr (paper) {
                Cell::backward(s, back, opened.at, opened_row);
                product<In>(rows, delta.at + 2 * n, delta_row, n, static_cast<const In*>(b.candidate_panels), n, nothing, inner.at, n);
                Cell::backward_through_reset(s, back, inner.at);
                product<In>(rows, delta.at, delta_row, 2 * n, panels, n, carried, back.hidden, n);
                openeds.take(kept, opened.at, opened_row, rows);
            } else {
                Cell::backward(s, back);
                product<In>(rows, delta.at + Cell::to_recurrent * n, delta_row, columns, panels, n, carried, back.hidden, n);
            }
            deltas.take(kept, delta.at, delta_row, rows);
            hiddens.take(kept, before(t), before_row(), rows);
            add_up(b.to_bias, delta.at, delta_row, l.inputs ? width : Cell::to_input * n, rows);
            const In* through_input = delta.at + Cell::to_input * n;
            if (!l.inputs) {
                const int64_t* ids = l.ids + t * l.batch + l.from;
                for (int64_t r = 0; r < rows; ++r) add_up(to_input.sums.at + ids[r] * to_input.row, through_input + r * delta_row, delta_row, columns, 1);
            } else {
                inputs.take(kept, x(t), l.x_row, rows);
                if (b.to_x) {
                    product<In>(rows, through_input, delta_row, columns, static_cast<const In*>(b.input_panels), wide, nothing, to_x.at, wide);
                    In* to = static_cast<In*>(b.to_x) + (t * l.batch + l.from) * b.to_x_row;
                    elements(rows, wide, [&](int64_t r, int64_t j, int64_t at, M m) INLINE_LAMBDA { store(to + r * b.to_x_row + j, load(to_x.at + at, m), m); });
                }
            }
            if (++kept < some && t > 0) continue;
            const int64_t groups = kept * deltas.groups * PAIR<In>;
            const Columns<In> recurrent = deltas.from(Cell::to_recurrent * n);
            if constexpr (paper) {
                accumulate<In>(to_recurrent.sums.at, to_recurrent.row, n, 2 * n, groups, hiddens.from(0), recurrent, soon(t - 1, b));
                accumulate<In>(to_recurrent.sums.at + 2 * n, to_recurrent.row, n, n, groups, openeds.from(0), deltas.from(2 * n));
            } else {
                accumulate<In>(to_recurrent.sums.at, to_recurrent.row, n, columns, groups, hiddens.from(0), recurrent, soon(t - 1, b));
            }
            if (l.inputs) accumulate<In>(to_input.sums.at, to_input.row, l.inputs, columns, groups, inputs.from(0), deltas.from(Cell::to_input * n));
            kept = 0;
        }
        if (!l.inputs) add_up(b.to_bias + Cell::to_input * n, to_input.sums.at, to_input.row, columns, l.symbols);  // each row went to one symbol
    }
};

template <class In>
void walk(const Layer& l, const Back* b) {
    const auto go = [&](auto cell) {
        const Walk<decltype(cell), In> walk{l};
        b ? walk.backward(*b) : walk.forward();
    };
    switch (l.cell) {
        case RNN: return go(Rnn{});
        case LSTM: return go(Lstm{});
        case GRU: return go(Gru{});
        case PAPER_GRU: return go(PaperGru{});
    }
}
