// The pieces of index.c that read elements: for T, a float or double, and WORD, an integer of its size. No
// guard: it is included once for each. A piece is a range of result rows: it looks at every index and adds
// the rows that are its own.
static void OF(scatter_piece)(void *const *slots, int64_t begin, int64_t end) {
  const Indexed *a = slots[0];
  const T *x = a->x;
  T *out = a->out;
  int64_t first = begin * a->unit, last = smaller(end * a->unit, a->rows);
  if (first >= last) return;
  memset(out + first * a->width, 0, (size_t)((last - first) * a->width) * sizeof *out);
  for (int64_t i = 0; i < a->count; i++) {
    int64_t row = clamp(a->index[i], a->rows);
    if (row < first || row >= last) continue;
    for (int64_t j = 0; j < a->width; j++) out[row * a->width + j] += x[i * a->width + j];
  }
}

static void OF(put_piece)(void *const *slots, int64_t begin, int64_t end) {
  const Indexed *a = slots[0];
  const T *x = a->x;
  T *out = a->out;
  int64_t last = smaller(end * a->unit, a->count), n = a->rows, m = a->width;
  for (int64_t o = begin * a->unit; o < last; o++) {
    memset(out + o * n, 0, (size_t)n * sizeof *out);
    for (int64_t j = 0; j < m; j++) out[o * n + clamp(a->index[o * m + j], n)] += x[o * m + j];
  }
}

// A total order of places: by value, NaN last, equal values by place. Under it any sort is stable.
static bool OF(before)(const T *x, int32_t i, int32_t j) {
  bool nan_i = isnan(x[i]), nan_j = isnan(x[j]);
  if (nan_i != nan_j) return nan_j;
  if (!nan_i && x[i] != x[j]) return x[i] < x[j];
  return i < j;
}

static void OF(sift_down)(const T *x, int32_t *heap, int64_t root, int64_t size) {
  int32_t moving = heap[root];
  for (int64_t child; (child = 2 * root + 1) < size; root = child) {
    if (child + 1 < size && OF(before)(x, heap[child], heap[child + 1])) child++;
    if (!OF(before)(x, moving, heap[child])) break;
    heap[root] = heap[child];
  }
  heap[root] = moving;
}

// Heapsort: in place, no worst case.
static void OF(argsort_line)(const T *x, int32_t *out, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = (int32_t)i;
  for (int64_t i = n / 2 - 1; i >= 0; i--) OF(sift_down)(x, out, i, n);
  for (int64_t i = n - 1; i > 0; i--) {
    int32_t largest = out[0];
    out[0] = out[i];
    out[i] = largest;
    OF(sift_down)(x, out, 0, i);
  }
}

static void OF(argsort_piece)(void *const *slots, int64_t begin, int64_t end) {
  const Indexed *a = slots[0];
  int64_t last = smaller(end * a->unit, a->count), n = a->width;
  for (int64_t o = begin * a->unit; o < last; o++)
    OF(argsort_line)((const T *)a->x + o * n, (int32_t *)a->out + o * n, n);
}

static void OF(cumsum_line)(const T *x, T *out, int64_t n, int64_t inner, int32_t reverse) {
  for (int64_t from = 0; from < inner; from += INNER_BLOCK) {
    int64_t wide = smaller(INNER_BLOCK, inner - from);
    double sum[INNER_BLOCK] = {0};
    for (int64_t step = 0; step < n; step++) {
      int64_t at = (reverse ? n - 1 - step : step) * inner + from;
      for (int64_t j = 0; j < wide; j++) out[at + j] = (T)(sum[j] += (double)x[at + j]);
    }
  }
}

static void OF(cumsum_piece)(void *const *slots, int64_t begin, int64_t end) {
  const Indexed *a = slots[0];
  int64_t last = smaller(end * a->unit, a->count), size = a->rows * a->width;
  for (int64_t o = begin * a->unit; o < last; o++)
    OF(cumsum_line)((const T *)a->x + o * size, (T *)a->out + o * size, a->rows, a->width, a->reverse);
}
