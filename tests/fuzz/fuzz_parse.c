// libFuzzer target. In: any bytes. Whatever they are, parsing ends, diagnostics render, and a text without
// mistakes is formatted to one that parses without mistakes, to the same tree, with all comments, and formats
// to itself.
#include "../../compiler/syntax/ast.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static char *tree_text(const Ast *file) {
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  if (!out) abort();
  ast_print(out, file);
  fclose(out);
  return text;
}

static void require(int holds, const char *what, const char *before, const char *after) {
  if (holds) return;
  fprintf(stderr, "%s\n---- before\n%s\n---- after\n%s\n", what, before, after);
  abort();
}

static void render(const Session *s) {
  FILE *nowhere = fopen("/dev/null", "w");
  if (!nowhere) abort();
  diags_print(&s->diags, nowhere, true);
  diags_print_json(&s->diags, nowhere);
  fclose(nowhere);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Session *s = session_new();
  Parse *parse = parse_source(s, source_add(&s->sources, "fuzz", (const char *)data, (int)size));
  char *tree = tree_text(parse->file);
  if (s->diags.errors)
    render(s);
  else {
    const char *once = ast_format(s->arena, s, parse);
    Parse *again = parse_source(s, source_add(&s->sources, "formatted", once, (int)strlen(once)));
    char *tree_again = tree_text(again->file);
    require(s->diags.errors == 0, "the formatted text is rejected", tree, once);
    require(strcmp(tree, tree_again) == 0, "the formatted text has another tree", tree, tree_again);
    require(parse->comments.len == again->comments.len, "comments were lost", tree, once);
    const char *twice = ast_format(s->arena, s, again);
    require(strcmp(once, twice) == 0, "formatting is not stable", once, twice);
    free(tree_again);
  }
  free(tree);
  session_free(s);
  return 0;
}
