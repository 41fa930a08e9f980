// --emit=STAGE,... to standard output, or one stage to the file of -o. An object is written to a file only.
#include "emit.h"
#include "../syntax/tokens.h"
#include "reg/file.h"
#include <ctype.h>
#include <string.h>

static bool wants(const Options *o, const char *stage) {
  const char *list = o->value[OPT_EMIT];
  size_t n = strlen(stage);
  for (; list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL)
    if (!strncmp(list, stage, n) && (list[n] == ',' || !list[n])) return true;
  return false;
}

bool emit_needs_step(const Options *o) {
  return wants(o, "graph") || wants(o, "kernels") || wants(o, "llvm") || wants(o, "asm") || wants(o, "obj");
}

// What was collected goes to the file of -o, or to standard output.
static int deliver(const Options *o, Text *text) {
  reg_status st = {0};
  const char *path = o->value[OPT_OUTPUT];
  if (text->failed)
    reg_no_memory(&st, text->used);
  else if (path)
    reg_file_write(path, text->used ? text->data : "", text->used, &st);
  else
    fwrite(text->data, 1, text->used, stdout); // whether it arrived is asked at the end
  reg_text_free(text);
  tell_status(o, &st);
  return st.code;
}

static FILE *collect(Text *text) {
  FILE *out = reg_text_stream(text);
  if (!out) ice("emit", "out of memory");
  return out;
}

static const char *token_class(const char *text, int len) {
  if (len == 0) return "end of statement";
  unsigned char c = (unsigned char)text[0];
  if (isdigit(c)) return "number";
  if (c == '"') return "string";
  if (!isalpha(c) && c != '_') return c == '\n' ? "end of statement" : "symbol";
  bool item;
  const char *keyword;
  for (int i = 0; (keyword = keyword_text(i, &item)); i++)
    if (strlen(keyword) == (size_t)len && !strncmp(keyword, text, (size_t)len)) return "keyword";
  return "name";
}

// One token a line, as the parser sees them: place, class, text. What the filter adds or drops at line ends
// shows here.
static void print_tokens(FILE *out, const Pipeline *p) {
  Parse comments = {0};
  const Source *source = source_get(&p->session->sources, p->source);
  ParseContext context = {
      .session = p->session, .arena = p->arena, .source = p->source, .text = source, .parse = &comments};
  Tokens *tokens = ARENA_NEW(p->arena, Tokens);
  tokens_start(tokens, &context, false);
  for (Token t = tokens_next(tokens); t.kind > 0; t = tokens_next(tokens)) {
    int line, column, len = t.made ? 0 : t.span.end - t.span.start;
    const char *text = source->text + t.span.start;
    source_position(source, t.span.start, &line, &column);
    const char *class = token_class(text, len);
    fprintf(out, "%4d:%-4d %-17s", line, column, t.made ? "made" : class);
    if (*text != '\n') reg_shown_lines(out, text, (size_t)len);
    fputc('\n', out);
  }
  tokens_end(tokens);
}

int emit_text_stages(Pipeline *p) {
  const Options *o = p->options;
  if (o->value[OPT_OUTPUT] && strchr(o->value[OPT_EMIT], ','))
    return usage_error("with `-o`, `--emit` takes one stage");
  if (wants(o, "obj") && !o->value[OPT_OUTPUT]) return usage_error("`--emit=obj` needs `-o PATH`");
  if (!wants(o, "tokens") && !wants(o, "ast")) return EXIT_OK;
  Text text = {0};
  FILE *out = collect(&text);
  if (wants(o, "tokens")) print_tokens(out, p);
  int code = EXIT_OK;
  if (wants(o, "ast")) {
    p->parse = parse_source(p->session, p->source);
    ast_print(out, p->parse->file);
    code = pipeline_report(p);
  }
  fclose(out);
  int written = deliver(o, &text);
  return code ? code : written;
}

static int add_code(Pipeline *p, const LoopFn *f, const char *what, Text *text) {
  const char *error = NULL;
  Code code;
  if (p->backend->emit(p->arena, f, &p->backend_options, what, &code, &error)) {
    reg_text_bytes(text, code.bytes, code.size);
    return EXIT_OK;
  }
  reg_shown_line(stderr, "regc: cannot emit %s: %s", what, error ? error : "no reason given");
  return REG_INTERNAL;
}

// An object is that of the last one, which reads what the others make.
static int emit_functions(Pipeline *p, const LoopFn *const *f, int n) {
  static const char *const code_stages[] = {"llvm", "asm", "obj"};
  const Options *o = p->options;
  Text text = {0};
  FILE *out = collect(&text);
  for (int k = 0; k < n && wants(o, "graph"); k++) graph_print(out, f[k]->graph);
  for (int k = 0; k < n && wants(o, "kernels"); k++) loops_print(out, f[k]);
  fclose(out);
  int code = EXIT_OK;
  for (int i = 0; i < 3; i++)
    for (int k = i < 2 ? 0 : n - 1; k < n && !code && wants(o, code_stages[i]); k++)
      code = add_code(p, f[k], code_stages[i], &text);
  const int written = deliver(o, &text);
  return code ? code : written;
}

int emit_function(Pipeline *p, const LoopFn *f) { return emit_functions(p, &f, 1); }

int emit_step(ProgramTable *t) {
  reg_function *f = t->program.ntrains ? main_step(&t->program.trains[0]) : NULL;
  if (!f) {
    fputs("regc: the program trains nothing, so there is no step to show\n", stderr);
    return EXIT_REJECTED;
  }
  reg_status st = {0};
  if (function_plan(t, f, &st)) return st.code;
  const LoopFn *both[] = {f->draws ? function_loops(f->draws) : NULL, function_loops(f)};
  return both[0] ? emit_functions(t->pipeline, both, 2) : emit_function(t->pipeline, both[1]);
}
