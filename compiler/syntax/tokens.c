// The token filter. In: the scanner's raw tokens. Out: the parser's: contextual keywords told from names
// (keywords.def), NEWLINE where a line ends a statement, and before every `}` and the end of the source.
// Missing closing brackets are made up where the source ends, and where a line at the left margin starts an
// item, so that one open bracket does not swallow the rest of the file. After a mistake the filter skips to a
// place where the parser can go on.
#include "tokens.h"
#include "../base/words.h"
#include "reg.lex.h"
#include "reg.tab.h"
#include <string.h>

typedef enum Place {
  ANYWHERE,
  ITEM_START,
  STATEMENT_START,
  AFTER_OPERAND,
  FOLLOWS,
  LOOP_START,
  BEFORE_NAME,
  IN_HEADER,
  INDEX_START,
  BEHIND_WHOLE,
  BEFORE_CALL,
  RESULT,
  STAGE_START,
  STAGE_RESULT,
  BEFORE_TEXT
} Place;

enum { TOK_NONE = 0, TOK_SKIPPED = -1 }; // TOK_SKIPPED: `last` after a mistake

static const struct Keyword {
  const char *text;
  int kind;
  Place place;
  int head;
} keywords[] = {
#define KEYWORD(token, text, place, head) {text, TOK_##token, place, TOK_##head},
#include "keywords.def"
#undef KEYWORD
};
enum { KEYWORDS = sizeof keywords / sizeof *keywords };

const char *keyword_text(int i, bool *item) {
  if (i >= KEYWORDS) return NULL;
  *item = keywords[i].place == ITEM_START;
  return keywords[i].text;
}

bool text_is_name(const char *text) {
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
  if (!strspn(text, LETTERS) || strspn(text, LETTERS "0123456789") != strlen(text)) return false;
#undef LETTERS
  for (int i = 0; i < KEYWORDS; i++)
    if (keywords[i].place == ANYWHERE && !strcmp(keywords[i].text, text)) return false;
  return true;
}

static void scan(Tokens *t) {
  t->ahead[0] = t->ahead[1];
  t->ahead[1] = (Token){0};
  t->ahead[1].kind = grammar_lex(&t->ahead[1], t->scanner);
  if (t->ahead[1].kind == TOK_END) t->ahead[1].span = span_at(t->p, t->p->text->len, 0);
}

void tokens_start(Tokens *t, ParseContext *p, bool expression) {
  *t = (Tokens){.p = p, .scan = {.p = p}, .expression = expression};
  if (grammar_lex_init_extra(&t->scan, &t->scanner)) ice("scanner", "cannot start");
  grammar__scan_bytes(p->text->text, p->text->len, t->scanner);
  t->last.kind = TOK_NEWLINE;
  t->last.span = span_at(p, 0, 0);
  scan(t);
  scan(t);
  t->ahead[0].newline_before = true;
}

void tokens_end(Tokens *t) { grammar_lex_destroy(t->scanner); }

static bool ends_operand(int kind) {
  switch (kind) {
  case TOK_NAME:
  case TOK_NUMBER:
  case TOK_STRING:
  case TOK_TRUE:
  case TOK_FALSE:
  case TOK_CLOSE:
  case TOK_CLOSEB:
  case TOK_DOTSTAR: return true;
  default: return false;
  }
}

// After these a line goes on, whatever the next one starts with.
static bool awaits_more(int kind) {
  switch (kind) {
  case TOK_NEWLINE:
  case TOK_OPENC:
  case TOK_COMMA:
  case TOK_COLON:
  case TOK_TILDE:
  case TOK_SET:
  case TOK_ASSIGN:
  case TOK_ARROW:
  case TOK_PIPE:
  case TOK_PLUS:
  case TOK_MINUS:
  case TOK_STAR:
  case TOK_SLASH:
  case TOK_MATMUL:
  case TOK_POWER:
  case TOK_LT:
  case TOK_LE:
  case TOK_GT:
  case TOK_GE:
  case TOK_EQ:
  case TOK_NE:
  case TOK_DOT:
  case TOK_IF:
  case TOK_STAGE_IF:
  case TOK_THEN:
  case TOK_ELSE:
  case TOK_UNTIL:
  case TOK_AND:
  case TOK_OR:
  case TOK_NOT:
  case TOK_AT:
  case TOK_EXCEPT: return true;
  default: return false;
  }
}

// `with` and `where` start no item, so behind `data` and `model` they belong to it.
static bool continues_line(const Tokens *t, const Token *raw) {
  if (raw->kind == TOK_PIPE) return true;
  if (raw->kind != TOK_NAME) return false;
  return strcmp(raw->text, "then") == 0 || strcmp(raw->text, "else") == 0 ||
         ((t->head == TOK_DATA || t->head == TOK_MODEL) &&
          (strcmp(raw->text, "with") == 0 || strcmp(raw->text, "where") == 0));
}

static int top(const Tokens *t) { return t->depth ? t->open[t->depth - 1].kind : TOK_OPENC; }
static bool lines_count(const Tokens *t) { return top(t) == TOK_OPENC; }
bool tokens_in_brackets(const Tokens *t) { return t && !lines_count(t); }

// A line at the left margin that can only start an item, although brackets are open. `loss` also starts
// clauses.
static bool item_at_margin(const Tokens *t, const Token *raw) {
  if (!raw->newline_before || raw->kind != TOK_NAME || t->expression) return false;
  if (raw->span.start > 0 && t->p->text->text[raw->span.start - 1] != '\n') return false;
  int behind = t->ahead[1].kind;
  if (t->ahead[1].newline_before || (behind != TOK_NAME && behind != TOK_STRING)) return false;
  for (int i = 0; i < KEYWORDS; i++)
    if (keywords[i].place == ITEM_START && strcmp(keywords[i].text, raw->text) == 0)
      return keywords[i].kind != TOK_LOSS;
  return false;
}

// Only a word on the same line makes `precision` more than a name: that of a metric, at the prompt.
static bool names_precision(const Token *behind) {
  return behind->kind == TOK_NAME && !behind->newline_before && text_is_name(behind->text);
}

static bool operand_behind(const Tokens *t) {
  const Token *behind = &t->ahead[1];
  if (behind->kind == TOK_OPEN) return behind->span.start > t->ahead[0].span.end; // else a call
  if (behind->kind == TOK_MINUS) { // `where -x`, not a difference
    const bool close = behind->span.end < t->p->text->len && t->p->text->text[behind->span.end] != ' ';
    return close && behind->span.start > t->ahead[0].span.end;
  }
  return behind->kind == TOK_NAME || behind->kind == TOK_NUMBER || behind->kind == TOK_OPENB;
}

// Among statements of a program: outside of braces, or inside those of stages.
static bool among_stages(const Tokens *t) { return t->depth ? t->open[t->depth - 1].stages : !t->expression; }

static bool starts_operand(const Tokens *t) {
  const Token *behind = &t->ahead[1];
  return !behind->newline_before && (behind->kind == TOK_STRING || operand_behind(t));
}

static bool has_clauses(int head) { return head == TOK_TRAIN || head == TOK_RECIPE; }

static bool may_stand(const Tokens *t, const struct Keyword *k) {
  const Token *behind = &t->ahead[1];
  bool line_start = t->last.kind == TOK_NEWLINE || t->last.kind == TOK_OPENC;
  if (k->head && k->head != t->head) return false;
  switch (k->place) {
  case ANYWHERE: return true;
  case ITEM_START:
    if (k->kind == TOK_PRECISION && !names_precision(behind)) return false;
    if (k->kind == TOK_PROX && behind->kind != TOK_NAME) return false;
    return line_start && among_stages(t);
  case STAGE_START:
    if (!among_stages(t) || !starts_operand(t)) return false;
    return line_start || (k->kind == TOK_STAGE_IF && t->last.kind == TOK_ELSE && t->closed_stages);
  case STAGE_RESULT:
    return among_stages(t) && (line_start || t->last.kind == TOK_SET) && behind->kind == TOK_NAME;
  case BEFORE_TEXT: return ends_operand(t->last.kind) && behind->kind == TOK_STRING && lines_count(t);
  case STATEMENT_START:
    if (!line_start || t->depth == 0 || behind->newline_before) return false;
    if (k->kind == TOK_EACH_EPOCH || k->kind == TOK_LOG) {
      return has_clauses(t->open[t->depth - 1].head) && behind->kind == TOK_NAME &&
             (k->kind == TOK_LOG || !strcmp(behind->text, "epoch"));
    }
    if (k->kind == TOK_STOP) return behind->kind == TOK_NAME && strcmp(behind->text, "when") == 0;
    if (k->kind == TOK_PENALIZE && behind->kind == TOK_COLON) return true;
    if (k->kind == TOK_PRECISION) return names_precision(behind);
    if (k->kind == TOK_MINIMIZE) return operand_behind(t);
    return behind->kind == TOK_NAME || behind->kind == TOK_NUMBER;
  case AFTER_OPERAND: return ends_operand(t->last.kind);
  case BEHIND_WHOLE:
    if (t->last.kind == TOK_NAME && lines_count(t) && t->depth &&
        (t->before.kind == TOK_NEWLINE || t->before.kind == TOK_OPENC))
      return false; // the value of a clause
    return ends_operand(t->last.kind);
  case BEFORE_CALL:
    return (k->head || t->expression) && !ends_operand(t->last.kind) && behind->kind == TOK_OPEN;
  case RESULT: return t->last.kind == TOK_ARROW && behind->kind == TOK_OPENB;
  case FOLLOWS: return !line_start;
  case LOOP_START:
    if (behind->kind == TOK_NAME || behind->kind == TOK_NUMBER || behind->kind == TOK_NOT) {
      if (t->last.kind == TOK_OPEN || t->last.kind == TOK_THEN || t->last.kind == TOK_ELSE) return true;
    } else if (behind->kind != TOK_OPEN && behind->kind != TOK_OPENC)
      return false;
    return (line_start && t->depth) || t->last.kind == TOK_SET;
  case BEFORE_NAME:
    if (k->kind == TOK_LEAST && line_start && t->depth && has_clauses(t->open[t->depth - 1].head))
      return false;
    if (line_start && t->depth == 0 && !t->expression) return false;
    if (k->kind == TOK_PROX && t->last.kind == TOK_BY) return false;
    return behind->kind == TOK_NAME && !ends_operand(t->last.kind);
  case IN_HEADER:
    if (k->kind == TOK_BY || k->kind == TOK_FOR)
      return t->header == HEADER_LEAST && ends_operand(t->last.kind);
    return t->header == (k->kind == TOK_IN ? HEADER_NAMES : HEADER_SOURCES) && ends_operand(t->last.kind);
  case INDEX_START:
    if (top(t) != TOK_OPENB || (t->last.kind != TOK_OPENB && t->last.kind != TOK_COMMA)) return false;
    return operand_behind(t);
  }
  return false;
}

static bool is_clause(const char *text) {
  static const char *const words[] = {"loss",   "batch",    "epochs",    "steps",    "seed",
                                      "allow",  "freeze",   "optimize",  "minimize", "stop",
                                      "sample", "penalize", "constrain", "solve"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (!strcmp(words[i], text)) return true;
  return word_find(text, WORD_CLAUSE, NULL, 0) != NULL;
}

// Among the clauses of a training, a name that gets a value: `x = …`, `x, y = …`, `x <- …`.
static bool names_line(const Tokens *t) {
  if (t->last.kind != TOK_NEWLINE && t->last.kind != TOK_OPENC) return false;
  const int head = t->depth ? t->open[t->depth - 1].head : TOK_NONE, behind = t->ahead[1].kind;
  return has_clauses(head) && (behind == TOK_SET || behind == TOK_COMMA || behind == TOK_ASSIGN) &&
         !is_clause(t->ahead[0].text);
}

// The kind of the word `ahead[0]` at its place.
static int classify(const Tokens *t) {
  const Token *raw = &t->ahead[0];
  if (raw->kind != TOK_NAME) return raw->kind;
  bool argument = t->ahead[1].kind == TOK_COLON && (top(t) == TOK_OPEN) &&
                  (t->last.kind == TOK_OPEN || t->last.kind == TOK_COMMA);
  if (argument || t->last.kind == TOK_DOT) return TOK_NAME;
  for (int i = 0; i < KEYWORDS; i++)
    if (strcmp(keywords[i].text, raw->text) == 0 && may_stand(t, &keywords[i])) return keywords[i].kind;
  if (names_line(t)) return TOK_GIVEN;
  const bool line_start = t->last.kind == TOK_NEWLINE || t->last.kind == TOK_OPENC;
  const int behind = t->ahead[1].newline_before ? TOK_NONE : t->ahead[1].kind;
  const bool other =
      behind == TOK_NAME || behind == TOK_NUMBER || behind == TOK_STRING || behind == TOK_OPENC;
  return line_start && among_stages(t) && other ? TOK_WORD : TOK_NAME;
}

static int closer_of(int opener) {
  return opener == TOK_OPEN ? TOK_CLOSE : opener == TOK_OPENB ? TOK_CLOSEB : TOK_CLOSEC;
}

static bool is_stage_head(int kind) {
  switch (kind) {
  case TOK_PROCEDURE:
  case TOK_STAGE_REPEAT:
  case TOK_STAGE_FOR:
  case TOK_STAGE_WHILE:
  case TOK_SWEEP:
  case TOK_STAGE_IF: return true;
  default: return false;
  }
}

static void track_brackets(Tokens *t, int kind, Span span) {
  if (kind == TOK_OPEN || kind == TOK_OPENB || kind == TOK_OPENC) {
    if (t->depth == MOST_BRACKETS) {
      too_deep(t->p, span);
      t->p->give_up = true;
      return;
    }
    const bool stages = is_stage_head(t->head) || (t->last.kind == TOK_ELSE && t->closed_stages);
    t->open[t->depth].stages =
        kind == TOK_OPENC && (t->head == TOK_EACH_EPOCH || (among_stages(t) && stages));
    t->open[t->depth].kind = kind;
    t->open[t->depth].head = t->head;
    t->open[t->depth++].span = span;
  } else if (t->depth && kind == closer_of(top(t))) {
    t->depth--;
    t->closed_stages = t->open[t->depth].stages;
  }
}

static bool open_brace(const Tokens *t) {
  for (int i = 0; i < t->depth; i++)
    if (t->open[i].kind == TOK_OPENC) return true;
  return false;
}

// Which part of a header comes next.
static void track_header(Tokens *t, int kind) {
  if (kind == TOK_LEAST) t->header = HEADER_LEAST;
  if (kind == TOK_FOR && t->header == HEADER_LEAST)
    t->header = HEADER_NONE;
  else if ((kind == TOK_FOR && t->head != TOK_OPTIMIZER && t->head != TOK_STOP) || kind == TOK_EACH ||
           kind == TOK_STAGE_FOR || kind == TOK_STACK)
    t->header = HEADER_NAMES;
  if (kind == TOK_IN && t->header == HEADER_NAMES) t->header = HEADER_SOURCES;
  if (kind == TOK_OPENC || kind == TOK_NEWLINE) t->header = HEADER_NONE;
}

static Token hand_on(Tokens *t, Token out) {
  track_header(t, out.kind);
  t->head_before = t->head;
  if (out.kind == TOK_NEWLINE || out.kind == TOK_OPENC)
    t->head = TOK_NONE;
  else if (t->last.kind == TOK_NEWLINE || t->last.kind == TOK_OPENC) {
    t->head = out.kind;
    t->first = out;
  } else if (out.kind == TOK_STAGE_IF || (out.kind == TOK_EVALUATE && t->last.kind == TOK_SET))
    t->head = out.kind; // `else if c {`, `e = evaluate net on …`
  t->before = t->last;
  t->last = out;
  return out;
}

static Token make(Tokens *t, int kind) {
  return hand_on(t, (Token){.kind = kind, .span = span_at(t->p, t->last.span.end, 0)});
}

static bool line_is_open(const Tokens *t) { return t->last.kind != TOK_NEWLINE && t->last.kind != TOK_OPENC; }

// Makes the closing bracket of the innermost open one, which the source lacks; says so for the innermost.
static Token make_closer(Tokens *t) {
  int opener = top(t);
  extent_note(t->p, t->p->at_end ? PARSE_OPEN_BRACKET : PARSE_WRONG);
  if (!t->flushing && !t->p->give_up)
    diag_emit(&t->p->session->diags, DIAG_unclosed, t->open[t->depth - 1].span,
              opener == TOK_OPEN    ? "("
              : opener == TOK_OPENB ? "["
                                    : "{");
  t->flushing = true;
  if (opener == TOK_OPENC && line_is_open(t)) {
    Token newline = make(t, TOK_NEWLINE);
    newline.made = true;
    return newline;
  }
  t->depth--;
  Token closer = make(t, closer_of(opener));
  closer.made = true;
  return closer;
}

static bool takes_block(int head) {
  switch (head) {
  case TOK_MODEL:
  case TOK_LAYER:
  case TOK_FN:
  case TOK_PENALTY:
  case TOK_LOSS:
  case TOK_SCHEDULE:
  case TOK_OPTIMIZER:
  case TOK_METRIC:
  case TOK_RECIPE:
  case TOK_TRAIN:
  case TOK_EVALUATE:
  case TOK_STACK:
  case TOK_REPEAT:
  case TOK_WHILE:
  case TOK_FOR: return true;
  default: return false;
  }
}

// Inside brackets that a wrong line opened: does a new line clearly start something else?
static bool abandons_brackets(const Tokens *t, int base) {
  const Token *raw = &t->ahead[0];
  for (int i = base; i < t->depth; i++)
    if (t->open[i].kind == TOK_OPENC) return false;
  if (raw->kind == TOK_CLOSEC) return true;
  return raw->newline_before && raw->kind == TOK_NAME &&
         (t->ahead[1].kind == TOK_SET || t->ahead[1].kind == TOK_ASSIGN);
}

// Skips the rest of a wrong line, brackets and all; stops before the line end, `}` or block that the parser
// waits for.
static void skip_mistake(Tokens *t) {
  int wrong = t->last.kind;
  if (wrong == TOK_NEWLINE || wrong == TOK_CLOSEC || wrong == TOK_END) return;
  if (wrong == TOK_OPENC && takes_block(t->head_before)) return;
  int base = t->depth < t->depth_before ? t->depth : t->depth_before;
  while (base > 0 && t->open[base - 1].kind != TOK_OPENC) base--;
  for (;; scan(t)) {
    const Token *raw = &t->ahead[0];
    if (raw->kind == TOK_END || item_at_margin(t, raw)) break;
    if (t->depth > base && abandons_brackets(t, base)) break;
    if (t->depth <= base) {
      if (raw->kind == TOK_CLOSEC || (raw->kind == TOK_SEMICOLON && base) ||
          (raw->newline_before && !continues_line(t, raw)))
        break;
      if (raw->kind == TOK_OPENC && takes_block(t->head)) break;
    }
    track_brackets(t, raw->kind, raw->span);
    if (t->p->give_up) break;
  }
  if (t->depth > base) t->depth = base;
  t->last.kind = TOK_SKIPPED;
}

// A `;` outside of braces is a mistake; it stands for what may have been meant.
static void wrong_semicolon(Tokens *t) {
  Token *raw = &t->ahead[0];
  int length = 1;
  raw->kind = foreign_token(t->p, raw, ";", &length);
  if (raw->kind != TOK_NONE) return;
  scan(t);
  raw->newline_before = true;
}

Token tokens_next(Tokens *t) {
  if (t->p->panic) skip_mistake(t);
  t->p->panic = false;
  Token *raw = &t->ahead[0];
  while (raw->kind == TOK_SEMICOLON) {
    if (!t->depth || !lines_count(t)) {
      wrong_semicolon(t);
      continue;
    }
    scan(t);
    if (line_is_open(t)) return make(t, TOK_NEWLINE);
  }
  bool over = raw->kind == TOK_END || t->p->give_up;
  t->p->at_end = over;
  t->p->extent_here = over && line_is_open(t) && awaits_more(t->last.kind) ? PARSE_OPEN_LINE : PARSE_WRONG;
  if (t->depth && (over || (!t->open[t->depth - 1].stages && item_at_margin(t, raw)))) return make_closer(t);
  if (over && line_is_open(t)) return make(t, TOK_NEWLINE);
  if (raw->kind == TOK_CLOSEC && t->depth) {
    if (top(t) != TOK_OPENC && open_brace(t)) return make_closer(t);
    if (top(t) == TOK_OPENC && line_is_open(t)) return make(t, TOK_NEWLINE);
  }
  t->flushing = false;
  if (raw->newline_before && lines_count(t) && !awaits_more(t->last.kind) && !continues_line(t, raw))
    return make(t, TOK_NEWLINE);
  Token out = *raw;
  out.kind = over ? TOK_END : classify(t);
  t->depth_before = t->depth;
  track_brackets(t, out.kind, out.span);
  scan(t);
  return hand_on(t, out);
}
