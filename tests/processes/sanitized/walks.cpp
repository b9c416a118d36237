// Walks of every cell, path and precision over odd shapes, in memory that ends where it must: for AddressSanitizer and UBSan.
// Ends with 1 and says where if a number comes out that is none.

#include <cstdio>
#include <random>
#include <vector>

#include "recurrent.cpp"

namespace {
std::mt19937 generator(0);

std::vector<float> drawn(int64_t size) {
    std::uniform_real_distribution<float> within(-0.3f, 0.3f);
    std::vector<float> values(size);
    for (float& value : values) value = within(generator);
    values.shrink_to_fit();
    return values;
}

// As `drawn`, in what is multiplied.
std::vector<char> operand(bool reduced, int64_t size) {
    const std::vector<float> values = drawn(size);
    std::vector<char> bytes(size * (reduced ? 2 : 4));
    for (int64_t k = 0; k < size; ++k) {
        if (reduced) {
            uint32_t bits;
            std::memcpy(&bits, &values[k], 4);
            const bf16 half = static_cast<bf16>(bits >> 16);
            std::memcpy(&bytes[2 * k], &half, 2);
        } else {
            std::memcpy(&bytes[4 * k], &values[k], 4);
        }
    }
    return bytes;
}

std::vector<char> packed(int32_t path, bool reduced, int64_t depth, int64_t columns) {
    const std::vector<float> matrix = drawn(depth * columns);
    std::vector<char> room(packed_size(path, reduced, depth, columns));
    pack(path, reduced, room.data(), matrix.data(), depth, columns, columns, 1);
    return room;
}

bool finite(const std::vector<float>& values) {
    for (float value : values)
        if (!std::isfinite(value)) return false;
    return true;
}

// Gates: halfs where products are of bfloat16.
bool finite(const std::vector<char>& gates, bool reduced) {
    for (size_t at = 0; at < gates.size(); at += reduced ? 2 : 4) {
        uint16_t bits;
        float value;
        if (reduced ? (std::memcpy(&bits, &gates[at], 2), (bits & 0x7c00) == 0x7c00) : (std::memcpy(&value, &gates[at], 4), !std::isfinite(value))) return false;
    }
    return true;
}

bool walked(int32_t path, bool reduced, int64_t cell, int64_t time, int64_t batch, int64_t units, int64_t inputs, int64_t symbols) {
    const int64_t saved[] = {1, 4, 4, 3}, columns[] = {1, 4, 3, 3}, deltas[] = {1, 4, 4, 3};
    const int64_t gates = columns[cell] * units, first = cell >= GRU ? 2 * units : gates, size = batch * units;
    const int64_t row = reduced ? units + units % 2 : units, x_row = reduced ? inputs + inputs % 2 : inputs;
    std::vector<int64_t> ids(time * batch);
    for (int64_t& id : ids) id = generator() % symbols;
    const auto x = operand(reduced, time * batch * x_row), received = operand(reduced, time * batch * units);
    const auto begin = drawn(inputs ? gates : symbols * gates), bias = drawn(units);
    const auto input = packed(path, reduced, inputs, gates), panels = packed(path, reduced, units, first), candidate = packed(path, reduced, units, units);
    auto kept = operand(reduced, time * batch * saved[cell] * units);
    auto cells = drawn((time + 1) * size), hidden = drawn(reduced ? size : (time + 1) * size);
    auto shown = operand(true, reduced ? (time + 1) * batch * row : 0);
    Layer layer = {cell, time, batch, units, inputs, inputs ? 0 : symbols, 0, batch, ids.data(), x.data(), x_row, begin.data(), bias.data(),
                   input.data(), panels.data(), candidate.data(), kept.data(), cell == LSTM ? cells.data() : nullptr, hidden.data(), shown.data(), row};
    auto held = drawn(time * size), always = drawn(units);  // a third of the units is free
    for (size_t k = 0; k < held.size(); k += 3) held[k] = NAN;
    if (generator() % 2)
        for (int what = 0; what < HOLDABLE; ++what) layer.held[what] = what % 2 ? Held{held.data(), size, units} : Held{always.data(), 0, 0};
    const int64_t edges[] = {0, batch / 2, batch};
    for (int k = 0; k < 2; ++k) {
        layer.from = edges[k], layer.to = edges[k + 1];
        if (layer.from < layer.to) walk(path, reduced, &layer, nullptr);
    }
    auto to_hidden = drawn(size), to_cell = drawn(size), to_input = drawn(gates * (inputs ? inputs : symbols));
    auto to_recurrent = drawn(gates * units), to_bias = drawn(deltas[cell] * units);
    auto to_x = operand(reduced, time * batch * inputs);
    const auto back_panels = packed(path, reduced, cell == PAPER_GRU ? 2 * units : gates, units);
    const auto back_candidate = packed(path, reduced, units, units), back_input = packed(path, reduced, gates, inputs);
    const Back back = {received.data(), units, to_hidden.data(), cell == LSTM ? to_cell.data() : nullptr, back_panels.data(), back_candidate.data(),
                       back_input.data(), inputs ? to_x.data() : nullptr, inputs, to_input.data(), to_recurrent.data(), to_bias.data()};
    for (int k = 0; k < 2; ++k) {
        layer.from = edges[k], layer.to = edges[k + 1];
        if (layer.from < layer.to) walk(path, reduced, &layer, &back);
    }
    std::vector<int64_t> targets(ids);
    const auto readout_panels = packed(path, reduced, units, symbols), readout_back = packed(path, reduced, symbols, units);
    const auto readout_bias = drawn(symbols);
    const auto seen = operand(reduced, time * batch * row);
    auto to_seen = operand(reduced, time * size), none = operand(false, 0);
    auto to_weight = drawn(symbols * units), to_readout_bias = drawn(symbols);
    Readout readout = {time * batch, units, symbols, seen.data(), row, readout_bias.data(), readout_panels.data(), readout_back.data(),
                       targets.data(), 0.1f, 0.0, to_seen.data(), units, to_weight.data(), to_readout_bias.data()};
    read_out(path, reduced, &readout);
    return finite(kept, reduced) && finite(hidden) && finite(to_hidden) && finite(to_recurrent) && finite(to_bias) &&
           finite(to_input) && finite(to_weight) && std::isfinite(readout.nats);
}
bool updated(int32_t path, int64_t n, bool with_means) {
    auto weights = drawn(n), squares = drawn(n), means = drawn(n), rows = drawn(n * 3);
    const auto gradients = drawn(n), bias = drawn(3);
    for (float& square : squares) square = std::fabs(square);
    lay_out(path, rows.data(), gradients.data(), bias.data(), n / 3, 3, 1, n / 3);
    const Descent descent = {n, weights.data(), gradients.data(), squares.data(), with_means ? means.data() : nullptr, 0.01, 0.9, 0.8, 0.1, 0.2, 1e-8f, 0.2f, 0.5f};
    descend(path, &descent);
    return finite(weights) && finite(squares) && finite(means) && finite(rows) && std::isfinite(sum_of_squares(path, gradients.data(), n));
}
}  // namespace

int main() {
    const int64_t shapes[][5] = {{1, 1, 1, 1, 2}, {3, 5, 7, 3, 11}, {2, 13, 16, 17, 16}, {4, 7, 33, 20, 5}, {2, 100, 45, 45, 87}, {1, 6, 65, 64, 65}, {2, 5, 128, 64, 9}};
    int walks = 0;
    for (int32_t path = AVX2; path <= best_path(); ++path)
        for (bool reduced : {false, true})
            for (int64_t cell : {RNN, LSTM, GRU, PAPER_GRU})
                for (const auto& [time, batch, units, inputs, symbols] : shapes)
                    for (int64_t given : {int64_t{0}, inputs}) {
                        if (reduced && path < AVX512_BF16) continue;
                        ++walks;
                        if (!walked(path, reduced, cell, time, batch, units, given, symbols)) {
                            std::printf("not a number: path %d, reduced %d, cell %d, units %d, inputs %d\n", path, reduced, int(cell), int(units), int(given));
                            return 1;
                        }
                    }
    for (int32_t path = AVX2; path <= best_path(); ++path)
        for (int64_t n : {1, 3, 16, 37, 4100})
            for (bool with_means : {false, true})
                if (!updated(path, n, with_means)) return std::printf("not a number: path %d, %d weights\n", path, int(n)), 1;
    std::printf("%d walks\n", walks);
    return walks ? 0 : 1;
}
