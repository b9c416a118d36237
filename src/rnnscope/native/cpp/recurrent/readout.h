// The softmax on top, its loss, and the way back, some rows at a time.
template <class In>
void read_out(Readout& o) {
    const int64_t row = ceiling(o.symbols, LANES) * LANES, n = o.units;
    Scratch<float> logits(TOGETHER * row), back(TOGETHER * n), zeros(n);
    Scratch<In> delta(TOGETHER * row);
    Arranged<In> deltas(1, TOGETHER, o.symbols), hiddens(1, TOGETHER, n);
    double totals = 1;
    for (int64_t first = 0; first < o.rows; first += TOGETHER) {
        const int64_t rows = std::min(TOGETHER, o.rows - first);
        const In* hidden = static_cast<const In*>(o.hidden) + first * o.hidden_row;
        product<In>(rows, hidden, o.hidden_row, n, static_cast<const In*>(o.panels), o.symbols, {o.bias, 0, nullptr}, logits.at, row);
        for (int64_t r = 0; r < rows; ++r) {
            float* logit = logits.at + r * row;
            const int64_t target = o.targets[first + r];
            V top = all(-INFINITY);
            for (int64_t j = 0; j < o.symbols; j += LANES) top = most(top, chosen(mask_of(o.symbols - j), load(logit + j, mask_of(o.symbols - j)), all(-INFINITY)));
            const float highest = largest(top), chosen_logit = logit[target];
            V total = all(0);
            for (int64_t j = 0; j < o.symbols; j += LANES) {
                const M m = mask_of(o.symbols - j);
                const V p = chosen(m, exponential_for<In>(load(logit + j, m) - all(highest)), all(0));
                store(logit + j, p, m);
                total = total + p;
            }
            const float all_of_them = sum(total), scale = o.scale / all_of_them;
            o.nats += highest - chosen_logit;
            if ((totals *= all_of_them) > 1e250) o.nats += std::log(totals), totals = 1;  // a logarithm for each row would be felt
            for (int64_t j = 0; j < o.symbols; j += LANES) {
                const M m = mask_of(o.symbols - j);
                store(delta.at + r * row + j, load(logit + j, m) * all(scale), m);
            }
            store(delta.at + r * row + target, all((logit[target] - all_of_them) * scale), mask_of(1));
        }
        product<In>(rows, delta.at, row, o.symbols, static_cast<const In*>(o.back_panels), n, {zeros.at, 0, nullptr}, back.at, n);
        In* to = static_cast<In*>(o.to_hidden) + first * o.to_hidden_row;
        elements(rows, n, [&](int64_t r, int64_t j, int64_t at, M m) INLINE_LAMBDA { store(to + r * o.to_hidden_row + j, load(back.at + at, m), m); });
        add_up(o.to_bias, delta.at, row, o.symbols, rows);
        deltas.take(0, delta.at, row, rows);
        hiddens.take(0, hidden, o.hidden_row, rows);
        accumulate<In>(o.to_weight, n, o.symbols, n, ceiling(rows, PAIR<In>) * PAIR<In>, deltas.from(0), hiddens.from(0));
    }
    o.nats += std::log(totals);
}
