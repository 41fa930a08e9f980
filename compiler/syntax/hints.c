// What to write instead, where the parser met a mistake. In: the wrong token, what stands around it, and what
// the grammar would have taken. Out: a hint by words.def (words of other languages) or grammar/hints.def
// (their signs), or none.
#include "../base/words.h"
#include "build.h"
#include "reg.tab.h"
#include "tokens.h"
#include <string.h>

// Sets of tokens, beside the tokens themselves. LINE_NAME: a name that starts its line; SHARE: a number with
// `%`.
enum {
  TOK_ANY = -1,
  TOK_NO_BRACKET = -2,
  TOK_DEFINITION = -3,
  TOK_OPERATOR = -4,
  TOK_OPERAND = -5,
  TOK_START = -6,
  TOK_COMPARISON = -7,
  TOK_LINE_NAME = -8,
  TOK_SHARE = -9,
  TOK_FIELD = -10,
  TOK_RESERVED = -11
};

static const struct Hint {
  int head, inside, before, wrong;
  const char *expected, *text;
} hints[] = {
#define HINT(head, inside, before, wrong, expected, text)                                                    \
  {TOK_##head, TOK_##inside, TOK_##before, TOK_##wrong, expected, text},
#include "hints.def"
#undef HINT
};

static bool in_set(int set, int kind) {
  switch (set) {
  case TOK_ANY: return true;
  case TOK_NO_BRACKET: return kind == 0;
  case TOK_DEFINITION:
    return kind == TOK_MODEL || kind == TOK_LAYER || kind == TOK_FN || kind == TOK_PENALTY ||
           kind == TOK_LOSS || kind == TOK_SCHEDULE || kind == TOK_OPTIMIZER || kind == TOK_METRIC;
  case TOK_COMPARISON:
    return kind == TOK_LT || kind == TOK_LE || kind == TOK_GT || kind == TOK_GE || kind == TOK_EQ ||
           kind == TOK_NE;
  case TOK_OPERATOR:
    return in_set(TOK_COMPARISON, kind) || kind == TOK_PLUS || kind == TOK_MINUS || kind == TOK_STAR ||
           kind == TOK_SLASH || kind == TOK_MATMUL || kind == TOK_POWER || kind == TOK_AND || kind == TOK_OR;
  case TOK_OPERAND:
    return kind == TOK_NAME || kind == TOK_NUMBER || kind == TOK_STRING || kind == TOK_OPEN ||
           kind == TOK_OPENB || kind == TOK_TRUE || kind == TOK_FALSE;
  case TOK_LINE_NAME:
  case TOK_FIELD: return kind == TOK_NAME;
  case TOK_SHARE: return kind == TOK_NUMBER;
  case TOK_RESERVED:
    return kind == TOK_IF || kind == TOK_THEN || kind == TOK_ELSE || kind == TOK_UNTIL || kind == TOK_AND ||
           kind == TOK_OR || kind == TOK_NOT || kind == TOK_TRUE || kind == TOK_FALSE;
  case TOK_START: return kind == TOK_NEWLINE || kind == TOK_OPENC;
  default: return set == kind;
  }
}

static bool is_before(const ParseContext *p, int set, const Token *t) {
  const bool behind_dot = t->span.start > 0 && p->text->text[t->span.start - 1] == '.';
  return in_set(set, t->kind) && (set != TOK_LINE_NAME || t->newline_before) &&
         (set != TOK_SHARE || t->percent) && (set != TOK_FIELD || behind_dot);
}

static bool can_stand(const char *const *expected, int n, const char *name) {
  if (!*name) return true;
  const bool negated = *name == '!';
  return (expected_index(expected, n, name + negated) >= 0) != negated;
}

static const char *source_text(ParseContext *p, Span s) {
  return arena_strndup(p->arena, p->text->text + s.start, (size_t)(s.end - s.start));
}

// From a place to the end of its line, without a comment.
static Span rest_of_line(const ParseContext *p, int start) {
  Span s = {p->source, start, start + (int)strcspn(p->text->text + start, "#\r\n")};
  while (s.end > s.start && strchr(" \t,;", p->text->text[s.end - 1])) s.end--;
  return s;
}

static const char *filled(ParseContext *p, const char *text, const Token *wrong) {
  StrBuf b = {.arena = p->arena};
  strbuf_add(&b, "");
  for (; *text; text++) {
    if (*text != '%') {
      strbuf_addn(&b, text, 1);
      continue;
    }
    const Token *behind = &p->tokens->ahead[0];
    switch (*++text) {
    case 'b': strbuf_add(&b, source_text(p, p->tokens->before.span)); break;
    case 'w': strbuf_add(&b, source_text(p, wrong->span)); break;
    case 'n': strbuf_add(&b, source_text(p, behind->span)); break;
    default: strbuf_add(&b, source_text(p, rest_of_line(p, behind->span.start)));
    }
  }
  return b.data;
}

static const Word *leading_word(const Token *t) {
  return t->kind == TOK_NAME || t->kind == TOK_WORD ? word_find(t->text, WORD_LEADS, NULL, 0) : NULL;
}

// `return x`, `for (i in …`, `a is b`.
static const Word *foreign_word(ParseContext *p, const Token *wrong) {
  const Tokens *t = p->tokens;
  const Word *word = in_set(TOK_OPERAND, wrong->kind) ? leading_word(&t->before) : NULL;
  if (!word && wrong->kind == TOK_NAME && !in_set(TOK_START, t->before.kind))
    word = word_find(wrong->text, WORD_JOINS, NULL, 0);
  const char *behind_first = p->text->text + t->first.span.end;
  if (behind_first[strspn(behind_first, " ")] == '(') {
    const Word *first = leading_word(&t->first);
    if (first) word = first;
  }
  return word;
}

// What cannot start an item.
static void item_hint(Diag *d, const Token *wrong) {
  if (!strcmp(wrong->text, "precision")) {
    diag_hint(d, "the type of all floats of a program is given by `precision f64` or `precision f32`");
    return;
  }
  if (word_hint(d, wrong->text, WORD_LEADS | WORD_ITEM, NULL, 0)) return;
  const char *items[64];
  int n = 0;
  bool item;
  const char *text;
  for (int i = 0; n < 64 && (text = keyword_text(i, &item)); i++)
    if (item) items[n++] = text;
  const char *near = nearest_name(wrong->text, items, n);
  if (near) diag_hint(d, "did you mean `%s`?", near);
}

void syntax_hint(ParseContext *p, Diag *d, const Token *wrong, const char *const *expected, int n) {
  const Tokens *t = p->tokens;
  if ((wrong->kind == TOK_NAME || wrong->kind == TOK_WORD) && can_stand(expected, n, "`fn`")) {
    item_hint(d, wrong);
    return;
  }
  const Word *word = foreign_word(p, wrong);
  if (word) {
    diag_hint(d, "%s", word->sentence);
    return;
  }
  if (t->head_before == TOK_NAME && t->before.kind == TOK_NAME && can_stand(expected, n, "a number")) {
    const Word *clause = word_find(t->before.text, WORD_CLAUSE, NULL, 0);
    if (clause && clause->here)
      diag_hint(d, "a clause is written without `%s`: `%s …`", source_text(p, wrong->span), clause->here);
    else if (clause)
      diag_hint(d, "%s", clause->sentence);
    if (clause) return;
  }
  const int inside = t->depth_before ? t->open[t->depth_before - 1].kind : 0;
  for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
    const struct Hint *h = &hints[i];
    if (!in_set(h->head, t->head_before) || !in_set(h->inside, inside) ||
        !is_before(p, h->before, &t->before) || !in_set(h->wrong, wrong->kind) ||
        !can_stand(expected, n, h->expected))
      continue;
    diag_hint(d, "%s", filled(p, h->text, wrong));
    return;
  }
}
