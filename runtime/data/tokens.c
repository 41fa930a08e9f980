// Words as tokens. A piece of a text is a run of letters and digits, or one other character, with one space
// that stands before it; what is no ASCII counts as a letter. Words are pieces without their space; white
// space but line ends only separates them.
#include "data/tokens.h"
#include "data/table.h"
#include <stdlib.h>
#include <string.h>

static bool is_letter(char c) {
  const unsigned char u = (unsigned char)c;
  return u >= 0x80 || (u >= '0' && u <= '9') || ((u | 32) >= 'a' && (u | 32) <= 'z') || u == '_' || u == '\'';
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; }

bool piece_is_blank(const char *piece) { return is_blank(*piece); }
bool piece_is_word(const char *piece) { return is_letter(*piece); }

size_t piece_end(const char *text, size_t size, size_t from) {
  size_t to = from;
  if (text[to] == ' ' && to + 1 < size && !is_blank(text[to + 1]) && text[to + 1] != '\n') to++;
  if (!is_letter(text[to])) return to + 1;
  while (to < size && is_letter(text[to])) to++;
  return to;
}

// `piece` has room for any.
static bool add_type(NameIndex *types, Heap *heap, char *piece, const char *s, size_t length, int32_t *type) {
  memcpy(piece, s, length);
  piece[length] = 0;
  *type = names_find(types, piece);
  if (*type >= 0) return true;
  *type = types->count;
  char *name = reg_heap_copy(heap, s, length);
  return name && names_add(types, name);
}

// `bare`: a piece's type does not tell the space before it.
static bool cut(Pieces *p, NameIndex *types, Heap *heap, const char *text, size_t size, bool bare) {
  int64_t room = 0;
  for (size_t at = 0; at < size; at = piece_end(text, size, at)) room++;
  char *piece = malloc(size + 1);
  p->list = malloc((size_t)(room + 1) * sizeof *p->list);
  bool ok = piece && p->list;
  for (size_t at = 0, end; at < size && ok; at = end) {
    end = piece_end(text, size, at);
    const size_t from = at + (bare && text[at] == ' ' && end - at > 1);
    p->list[p->count] = (Piece){.at = at};
    ok = add_type(types, heap, piece, text + from, end - from, &p->list[p->count++].type);
  }
  free(piece);
  if (!ok) return false;
  p->list[p->count] = (Piece){.at = size};
  p->types = types->names;
  p->ntypes = types->count;
  return (p->times = calloc((size_t)p->ntypes + 1, sizeof *p->times));
}

// Where rows are lines, their end is known whatever else is.
static void count_types(Pieces *p, size_t learned, bool lines) {
  for (int64_t i = 0; i < p->count && p->list[i + 1].at <= learned; i++) p->times[p->list[i].type]++;
  for (int k = 0; k < p->ntypes && lines; k++)
    if (p->types[k][0] == '\n') p->times[k] = INT32_MAX;
}

typedef struct Word {
  int64_t times;
  const char *text;
  int32_t type;
} Word;

static int by_times(const void *a, const void *b) {
  const Word *v = a, *w = b;
  return v->times != w->times ? (v->times < w->times ? 1 : -1) : strcmp(v->text, w->text);
}

// A word as it is shown, with a space before it.
static char *shown(Heap *heap, const char *word) {
  const size_t n = strlen(word);
  char *name = reg_heap_take(heap, n + 2);
  if (!name) return NULL;
  name[0] = ' ';
  memcpy(name + is_letter(word[0]), word, n);
  return name;
}

// The class of each type; -1: it is no token.
static bool choose(Tokens *t, Heap *heap, const Pieces *p, int64_t most, int32_t *class_of) {
  Word *words = malloc(((size_t)p->ntypes + 1) * sizeof *words);
  int64_t n = 0;
  bool ok = words;
  for (int32_t k = 0; k < p->ntypes && ok; k++) {
    const bool none = is_blank(p->types[k][0]);
    class_of[k] = none ? -1 : 0;
    if (!none && p->times[k]) words[n++] = (Word){p->times[k], p->types[k], k};
  }
  if (ok) qsort(words, (size_t)n, sizeof *words, by_times);
  if (n > most) n = most;
  t->nclasses = n + 1;
  t->names = ok ? reg_heap_take(heap, (size_t)(n + 1) * sizeof *t->names) : NULL;
  ok = t->names && (t->names[0] = reg_heap_copy(heap, " <unknown>", strlen(" <unknown>")));
  for (int64_t i = 0; i < n && ok; i++) {
    class_of[words[i].type] = (int32_t)i + 1;
    ok = (t->names[i + 1] = shown(heap, words[i].text));
  }
  free(words);
  return ok;
}

static int make_words(Tokens *t, Heap *heap, const Pieces *p, int64_t most) {
  int32_t *class_of = malloc(((size_t)p->ntypes + 1) * sizeof *class_of);
  t->of = malloc(((size_t)p->count + 1) * sizeof *t->of);
  t->at = malloc(((size_t)p->count + 1) * sizeof *t->at);
  const bool ok = class_of && t->of && t->at && choose(t, heap, p, most, class_of);
  for (int64_t i = 0; i < p->count && ok; i++) {
    if (class_of[p->list[i].type] < 0) continue;
    t->at[t->count] = p->list[i].at;
    t->of[t->count++] = class_of[p->list[i].type];
  }
  if (ok) t->at[t->count] = p->list[p->count].at;
  free(class_of);
  return ok ? REG_OK : -1;
}

int tokens_make(Tokens *t, Heap *names, const char *text, size_t size, size_t learned,
                const reg_data_op *op) {
  Heap heap = {0};
  Pieces p = {0};
  NameIndex types = {0};
  int code = cut(&p, &types, &heap, text, size, op->words > 0) ? REG_OK : -1;
  if (!code) count_types(&p, learned, op->lines);
  if (!code)
    code = op->words ? make_words(t, names, &p, op->words) : tokens_merge(t, names, &p, text, op->merges);
  free(p.list);
  free(p.times);
  names_free(&types);
  reg_heap_free(&heap);
  return code;
}

void tokens_free(Tokens *t) {
  free(t->of);
  free(t->at);
  *t = (Tokens){0};
}
