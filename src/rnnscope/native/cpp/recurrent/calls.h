// What Python hands over, field by field as in `recurrent.py`. All matrices are row-major; `In` is float, or bf16 where reduced.

// What a signal is held at: float (time, batch, units), from a step and a row to the next so far; not a number where a unit is free.
struct Held {
    const float* at;                               // none: all are free
    int64_t step, row;
};

enum Holdable { CELL_STATE = 4, HIDDEN_STATE, HOLDABLE };  // after the blocks of gates

struct Layer {
    int64_t cell;                                  // see `Cells`
    int64_t time, batch, units, inputs, symbols;   // inputs: 0 where symbols' numbers come in; symbols: 0 where not
    int64_t from, to;                              // which rows of the batch this call computes
    const int64_t* ids;                            // (time, batch)
    const void* x;                                 // In (time, batch, inputs), rows x_row apart
    int64_t x_row;
    const float* begin;                            // (symbols, columns) what each symbol adds, bias included; or the bias (columns)
    const float* bias;                             // (units) of a GRU's candidate, beside the recurrent product
    const void *input_panels, *panels, *candidate_panels;
    void* gates;                                   // Kept (time, batch, saved · units): float, or half where In is bf16
    float *cells, *hidden;                         // (time + 1, batch, units), row 0 is given; where In is bf16 hidden is (batch, units),
    void* reduced;                                 // first → last, and all of them are here, bf16 (time + 1, batch, hidden_row)
    int64_t hidden_row;
    Held held[HOLDABLE];                           // looked at where In is float
};

struct Back {
    const void* received;                          // In (time, batch, units), rows received_row apart
    int64_t received_row;
    float *to_hidden, *to_cell;                    // (batch, units): of the last state → of the first
    const void *panels, *candidate_panels, *input_panels;
    void* to_x;                                    // In (time, batch, inputs), rows to_x_row apart; or none
    int64_t to_x_row;
    float *to_input, *to_recurrent, *to_bias;             // are added to; matrices as their weights
};

struct Readout {
    int64_t rows, units, symbols;
    const void* hidden;                            // In (rows, units), rows hidden_row apart
    int64_t hidden_row;
    const float* bias;
    const void *panels, *back_panels;
    const int64_t* targets;
    float scale;                                   // of the loss, in its gradients
    double nats;                                   // out: the sum
    void* to_hidden;                               // In (rows, units), rows to_hidden_row apart
    int64_t to_hidden_row;
    float *to_weight, *to_bias;                    // are added to
};

enum Cells { RNN, LSTM, GRU, PAPER_GRU };

struct Descent {
    int64_t n;
    float* weights;
    const float* gradients;
    float *squares, *means;                        // averages of squares and, Adam's, of gradients; means: none for RMSprop
    double rate, smoothing, momentum;              // smoothing: of squares; momentum: of means
    double begun_squares, begun_means;             // what averages that began at 0 are short of: 1 − smoothingᵗ, or 1 for RMSprop
    float epsilon, bound, scale;                   // gradients are kept within ± bound, then multiplied
};
