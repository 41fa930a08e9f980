// The grammar of `.reg`. In: the tokens of compiler/syntax/tokens.c, in which every line that ends a statement ends with
// NEWLINE, also before `}` and at the end, and contextual keywords are already told from names. Out: calls of
// compiler/syntax/build.h. After a mistake the tree goes on at the next line, or at the block behind a wrong header.

%define api.pure full
%define api.push-pull push
%define api.prefix {grammar_}
%define api.token.prefix {TOK_}
%define api.location.type {Span}
%define parse.error custom
%define parse.lac full
%locations
%param {ParseContext *p}

%code requires {
#include "build.h"
}

%union {
  Token token;
  Ast *node;
  AstList *list;
  int op;
}

%code {
#define YYMAXDEPTH 200000
#define YYLLOC_DEFAULT(current, rhs, n)                                                                      \
  ((current) = (n) ? span_join(YYRHSLOC(rhs, 1), YYRHSLOC(rhs, n))                                           \
                   : (Span){YYRHSLOC(rhs, 0).source, YYRHSLOC(rhs, 0).end, YYRHSLOC(rhs, 0).end})
static void grammar_error(const Span *span, ParseContext *p, const char *message);
}

%token END 0 "the end of the file"
%token FOR_FILE FOR_EXPRESSION
%token NEWLINE "the end of the line"
%token <token> NUMBER "a number" STRING "a string" NAME "a name" LABELS "`labels`"
%token PLUS "`+`" MINUS "`-`" STAR "`*`" SLASH "`/`" MATMUL "`@`" POWER "`^`"
%token LT "`<`" LE "`<=`" GT "`>`" GE "`>=`" EQ "`==`" NE "`!=`"
%token DOTDOT "`..`" DOT "`.`" DOTSTAR "`.*`" COMMA "`,`" COLON "`:`" TILDE "`~`"
%token SET "`=`" ASSIGN "`<-`" ARROW "`->`" PIPE "`|>`"
%token OPEN "`(`" CLOSE "`)`" OPENB "`[`" CLOSEB "`]`" OPENC "`{`" CLOSEC "`}`"
%token IF "`if`" THEN "`then`" ELSE "`else`" UNTIL "`until`" AND "`and`" OR "`or`" NOT "`not`"
%token SEMICOLON "`;`" // a NEWLINE inside braces: the filter
%token <token> SENSE "`higher`" PROX "`prox`" TO "`to`" GIVEN "a line" // the name that one among clauses gives: the filter
%token FOREIGN // a sign of another language that stands for nothing: told by the scanner
%token TRUE "`true`" FALSE "`false`" AS "`as`" AT "`at`" EXCEPT "`except`" OF "`of`" IS "`is`"
%token DATA "`data`" MODEL "`model`" LAYER "`layer`" FN "`fn`" PENALTY "`penalty`" LOSS "`loss`"
%token SCHEDULE "`schedule`" OPTIMIZER "`optimizer`" METRIC "`metric`" LET "`let`"
%token RECIPE "`recipe`" TRAIN "`train`" EVALUATE "`evaluate`" CHECK "`check`" USE "`use`" PRECISION "`precision`"
%token PARAM "`param`" STATE "`state`" CARRY "`carry`" SAMPLE "`sample`" REPEAT "`repeat`" WHILE "`while`" EACH "`each`" EACH_EPOCH "`each epoch`" NEW "`new`" ALONG "`along`" WHERE "`where`" APPLY "`apply`" PENALIZE "`penalize`" OPTIMIZE "`optimize`" MINIMIZE "`minimize`" CONSTRAIN "`constrain`" LOG "`log`" OVER "`over`" FREEZE "`freeze`" STOP "`stop`" SOLVE "`solve`"
%token PROCEDURE "`procedure`" REPORT "`report`" ASSERT "`assert`" SAVE "`save`" CALLED "`as`, a text"
%token STACK "`stack`" LEAST "`minimize … from`" STAGE_REPEAT "statement `repeat`" STAGE_FOR "statement `for`" STAGE_WHILE "statement `while`" STAGE_IF "statement `if`" SWEEP "statement `sweep`" WITHOUT "`without`"
%token WORD "a word" // that starts a line and nothing that there is
%token ON "`on`" FOR "`for`" WITH "`with`" LIKE "`like`" IN "`in`" BY "`by`" WHEN "`when`" STALLS "`stalls`"
%token KEEP "`keep`" BEST "`best`" TABLE "`table`"

%type <node> item stage stages stage_if wrong_item definition whole filtered view train evaluate check params params_opt param type classes range bound result body derived
%type <node> block loop along target role
%type <node> statement state wrong_statement shape_of_state row further clause objective every when stop penalize metric model_name drawn
%type <node> variant expr until arrow pipe link or and not comparison span sum product unary power exponent
%type <node> shift postfix chain atom list element arg selector selector_term
%type <list> axes stage_list objectives heads several sources tuple shapes params_list views statements clauses metrics metric_list args arg_list elements element_list names selectors
%type <op> kind optimizer how compare

%start start
%%
start:
  FOR_FILE items
| FOR_EXPRESSION whole NEWLINE                    { ast_expression(p, $2); }

items:
  %empty
| items item NEWLINE                              { ast_item(p, $2); yyerrok; }
| items wrong_item                                { ast_item(p, $2); yyerrok; }
| items error NEWLINE                             { yyerrok; }

item: definition | train | evaluate | check | stage
| USE STRING                                      { $$ = ast_use(p, @$, $2); }
| PRECISION NAME                                  { $$ = ast_precision(p, @$, $2); }

// Definitions

definition:
  LET NAME SET expr                               { $$ = ast_def(p, @$, KIND_LET, &$2, NULL, NULL, $4, NULL); }
| DATA NAME params_opt SET whole                  { $$ = ast_def(p, @$, KIND_DATA, &$2, $3, NULL, $5, NULL); }
| kind NAME params_opt result body                { $$ = ast_def(p, @$, $1, &$2, $3, $4, $5, NULL); }
| kind NAME params_opt result IS NAME body        { $$ = ast_is(p, ast_def(p, @$, $1, &$2, $3, $4, $7, NULL), &$6); }
| kind NAME params_opt result SENSE body          { $$ = ast_metric(p, @$, $1, &$2, $3, $4, $5, $6); }
| kind NAME OPENB expr CLOSEB SET expr            { $$ = ast_models(p, @$, $1, &$2, $4, $7); }
| PROCEDURE NAME params_opt stages                { $$ = ast_def(p, @$, KIND_PROCEDURE, &$2, $3, NULL, $4, NULL); }
| PARAM NAME COLON list role how expr             { $$ = ast_own_param(p, @$, $2, $4, $5, $6, $7); }
| optimizer NAME params_opt FOR NAME body         { $$ = ast_def(p, @$, $1, &$2, $3, NULL, $6, ast_name(p, @5, $5)); }
| optimizer NAME params_opt FOR NAME IS NAME body { $$ = ast_is(p, ast_def(p, @$, $1, &$2, $3, NULL, $8, ast_name(p, @5, $5)), &$7); }
| RECIPE NAME params_opt OPENC clauses CLOSEC     { $$ = ast_def(p, @$, KIND_RECIPE, &$2, $3, NULL, ast_clauses(p, span_join(@4, @6), $5), NULL); }

// A wrong item ends with its line or with the block behind its head; what has a name keeps it. `error` always waits for
// one of the two, or else the parser would forget the line's beginning at the first token that it skips.
wrong_item:
  LET NAME error NEWLINE                          { $$ = ast_def(p, @$, KIND_LET, &$2, NULL, NULL, ast_error(p, @3), NULL); }
| DATA NAME error NEWLINE                         { $$ = ast_def(p, @$, KIND_DATA, &$2, NULL, NULL, ast_error(p, @3), NULL); }
| LET error NEWLINE                               { $$ = ast_error(p, @$); }
| DATA error NEWLINE                              { $$ = ast_error(p, @$); }
| kind NAME error NEWLINE                         { $$ = ast_def(p, @$, $1, &$2, NULL, NULL, ast_error(p, @3), NULL); }
| optimizer NAME error NEWLINE                    { $$ = ast_def(p, @$, $1, &$2, NULL, NULL, ast_error(p, @3), NULL); }
| kind NAME error block NEWLINE                   { $$ = ast_def(p, @$, $1, &$2, NULL, NULL, ast_error(p, @3), NULL); (void)$4; }
| optimizer NAME error block NEWLINE              { $$ = ast_def(p, @$, $1, &$2, NULL, NULL, ast_error(p, @3), NULL); (void)$4; }
| kind error NEWLINE                              { $$ = ast_error(p, @$); }
| optimizer error NEWLINE                         { $$ = ast_error(p, @$); }
| kind error block NEWLINE                        { $$ = ast_error(p, @$); (void)$3; }
| optimizer error block NEWLINE                   { $$ = ast_error(p, @$); (void)$3; }
| kind NAME params_opt result SET error NEWLINE   { $$ = ast_def(p, @$, $1, &$2, $3, $4, ast_error(p, @6), NULL); }
| kind NAME params_opt result SET error block NEWLINE { $$ = ast_def(p, @$, $1, &$2, $3, $4, $7, NULL); }
| TRAIN error NEWLINE                             { $$ = ast_error(p, @$); }
| TRAIN error OPENC clauses CLOSEC NEWLINE        { $$ = ast_error(p, @$); (void)$4; }
| RECIPE error NEWLINE                            { $$ = ast_error(p, @$); }
| RECIPE error OPENC clauses CLOSEC NEWLINE       { $$ = ast_error(p, @$); (void)$4; }
| EVALUATE error NEWLINE                          { $$ = ast_error(p, @$); }
| EVALUATE error OPENC metrics CLOSEC NEWLINE     { $$ = ast_error(p, @$); (void)$4; }

// What else acts, in order. In a block of stages there may be definitions, trainings and evaluations too.

stage:
  chain | list
| OPEN tuple comma CLOSE                          { $$ = ast_tuple(p, @$, $2); }
| chain SET expr                                  { $$ = ast_set(p, @$, $1, $3); }
| chain SET evaluate                              { $$ = ast_result(p, @$, $1, $3); }
| NAME COMMA names SET expr                       { $$ = ast_unpack(p, @$, ast_name(p, @1, $1), $3, $5); }
| chain ASSIGN expr                               { $$ = ast_pair(p, @$, AST_GIVE, $1, $3); }
| STAGE_REPEAT expr stages                        { $$ = ast_repeat(p, @$, $2, $3); }
| STAGE_FOR names IN sources along stages         { $$ = ast_for(p, @$, $2, $4, $5, $6); }
| STAGE_WHILE expr stages                         { $$ = ast_triple(p, @$, AST_WHILE, $2, NULL, $3); }
| STAGE_WHILE expr COMMA NAME NAME expr stages    { $$ = ast_while(p, @$, $2, $4, $5, $6, $7); }
| SWEEP axes stages                               { $$ = ast_sweep(p, @$, $2, NULL, $3); }
| SWEEP axes BY postfix stages                    { $$ = ast_sweep(p, @$, $2, $4, $5); }
| stage_if
| REPORT expr                                     { $$ = ast_text_of(p, @$, AST_REPORT, $2, NULL); }
| REPORT expr CALLED STRING                       { $$ = ast_text_of(p, @$, AST_REPORT, $2, &$4); }
| ASSERT expr                                     { $$ = ast_text_of(p, @$, AST_ASSERT, $2, NULL); }
| SAVE chain TO STRING                            { $$ = ast_text_of(p, @$, AST_SAVE, $2, &$4); }

axes:
  NAME IN expr                                    { $$ = list_new(p, ast_bind(p, @$, AST_AXIS, $1, $3)); }
| axes COMMA NAME IN expr                         { $$ = list_add(p, $1, ast_bind(p, span_join(@3, @5), AST_AXIS, $3, $5)); }

// Of a list of recipes: the first one, but for some of its clauses, or with those of another one
variant:
  WITHOUT NAME                                    { $$ = ast_variant(p, @$, OPR_SUB, ast_name(p, @2, $2)); }
| WITH chain                                      { $$ = ast_variant(p, @$, OPR_ADD, $2); }

stage_if:
  STAGE_IF expr stages                            { $$ = ast_triple(p, @$, AST_WHEN, $2, $3, NULL); }
| STAGE_IF expr stages ELSE stages                { $$ = ast_triple(p, @$, AST_WHEN, $2, $3, $5); }
| STAGE_IF expr stages ELSE stage_if              { $$ = ast_triple(p, @$, AST_WHEN, $2, $3, $5); }

stages:
  OPENC stage_list CLOSEC                         { $$ = ast_stages(p, @$, $2); }

stage_list:
  %empty                                          { $$ = list_new(p, NULL); }
| stage_list item NEWLINE                         { $$ = list_add(p, $1, $2); yyerrok; }
| stage_list wrong_item                           { $$ = list_add(p, $1, $2); yyerrok; }
| stage_list error NEWLINE                        { $$ = $1; yyerrok; }

optimizer:
  OPTIMIZER                                       { $$ = KIND_OPTIMIZER; }

kind:
  MODEL                                           { $$ = KIND_MODEL; }
| LAYER                                           { $$ = KIND_LAYER; }
| FN                                              { $$ = KIND_FN; }
| PENALTY                                         { $$ = KIND_PENALTY; }
| LOSS                                            { $$ = KIND_LOSS; }
| SCHEDULE                                        { $$ = KIND_SCHEDULE; }
| METRIC                                          { $$ = KIND_METRIC; }
| PROX                                            { $$ = kind_beside($1); }

params_opt:
  %empty                                          { $$ = NULL; }
| params

params:
  OPEN CLOSE                                      { $$ = ast_params(p, @$, list_new(p, NULL)); }
| OPEN params_list comma CLOSE                    { $$ = ast_params(p, @$, $2); }

params_list:
  param                                           { $$ = list_new(p, $1); }
| params_list COMMA param                         { $$ = list_add(p, $1, $3); }

param:
  NAME                                            { $$ = ast_paramdecl(p, @$, $1, NULL, NULL); }
| NAME SET expr                                   { $$ = ast_paramdecl(p, @$, $1, NULL, $3); }
| NAME COLON type                                 { $$ = ast_paramdecl(p, @$, $1, $3, NULL); }
| NAME COLON type SET expr                        { $$ = ast_paramdecl(p, @$, $1, $3, $5); }
| NAME ARROW NAME                                 { $$ = ast_paramdecl_arrow(p, @$, $1, $3, NULL); }
| NAME ARROW NAME COLON type                      { $$ = ast_paramdecl_arrow(p, @$, $1, $3, $5); }

type:
  list
| NAME                                            { $$ = ast_type(p, @$, &$1, NULL); }
| NAME range                                      { $$ = ast_type(p, @$, &$1, $2); }
| range                                           { $$ = ast_type(p, @$, NULL, $1); }
| NAME list                                       { $$ = ast_labels(p, @$, $1, $2, NULL); }
| NAME list OF classes                            { $$ = ast_labels(p, @$, $1, $2, $4); }
| NAME OF classes                                 { $$ = ast_labels(p, @$, $1, NULL, $3); }

classes:
  NAME                                            { $$ = ast_name(p, @$, $1); }
| NUMBER                                          { $$ = ast_number(p, @$, $1, NULL); }

range:
  bound DOTDOT                                    { $$ = ast_range(p, @$, $1, NULL); }
| bound DOTDOT bound                              { $$ = ast_range(p, @$, $1, $3); }
| DOTDOT bound                                    { $$ = ast_range(p, @$, NULL, $2); }

bound:
  NUMBER                                          { $$ = ast_number(p, @$, $1, NULL); }
| NUMBER NAME                                     { if (!unit_follows(p, &$1, &$2)) YYERROR; $$ = ast_number(p, @$, $1, &$2); }
| MINUS NUMBER                                    { $$ = ast_unary(p, @$, OPR_NEG, ast_number(p, @2, $2, NULL)); }

result:
  %empty                                          { $$ = NULL; }
| ARROW list                                      { $$ = $2; }
| ARROW LABELS list OF classes                      { $$ = ast_labels(p, span_join(@2, @5), $2, $3, $5); }
| ARROW OPEN shapes CLOSE                         { $$ = ast_tuple(p, span_join(@2, @4), $3); }

shapes:
  list COMMA list                                 { $$ = list_add(p, list_new(p, $1), $3); }
| shapes COMMA list                               { $$ = list_add(p, $1, $3); }

body:
  SET expr                                        { $$ = $2; }
| SET derived                                     { $$ = $2; }
| block

// A model whose parameters, or named values, are seen through an expression
derived:
  expr WITH names IN selectors AS expr            { $$ = ast_derive(p, @$, $1, $3, $5, $7); }
| derived WITH names IN selectors AS expr         { $$ = ast_derive(p, @$, $1, $3, $5, $7); }

comma: %empty | COMMA

// Statements

block:
  OPENC statements CLOSEC                         { $$ = ast_block(p, @$, $2); }

statements:
  %empty                                          { $$ = list_new(p, NULL); }
| statements statement NEWLINE                    { $$ = list_add(p, $1, $2); yyerrok; }
| statements wrong_statement                      { $$ = list_add(p, $1, $2); yyerrok; }
| statements error NEWLINE                        { $$ = list_add(p, $1, ast_error(p, @2)); yyerrok; }

statement:
  expr
| target SET expr                                 { $$ = ast_set(p, @$, $1, $3); }
| NAME COMMA names SET expr                       { $$ = ast_unpack(p, @$, ast_name(p, @1, $1), $3, $5); }
| NAME ASSIGN expr                                { $$ = ast_bind(p, @$, AST_ASSIGN, $1, $3); }
| state
| PARAM NAME COLON list role how expr             { $$ = ast_param(p, @$, $2, $4, $5, $6, $7, NULL); }
| PARAM NAME COLON list role how expr IF expr     { $$ = ast_param(p, @$, $2, $4, $5, $6, $7, $9); }
| CARRY NAME shape_of_state SET expr              { $$ = ast_carry(p, @$, $2, $3, $5); }
| APPLY expr WITH expr when                       { $$ = ast_apply(p, @$, $2, $4, $5); }
| STACK expr block                                { $$ = ast_stack(p, @$, NULL, list_new(p, $2), $3); }
| STACK names IN sources block                    { $$ = ast_stack(p, @$, $2, $4, $5); }
| PRECISION NAME                                  { $$ = ast_inner_precision(p, @$); (void)$2; }

state:
  STATE NAME row shape_of_state how expr          { $$ = ast_state(p, @$, $2, $3, $4, $5, $6); }

target: chain

wrong_statement:
  target SET error NEWLINE                        { $$ = ast_set(p, @$, $1, ast_error(p, @3)); }
| REPEAT error NEWLINE                            { $$ = ast_error(p, @$); }
| REPEAT error block NEWLINE                      { $$ = ast_repeat(p, @$, ast_error(p, @2), $3); }
| STACK error NEWLINE                             { $$ = ast_error(p, @$); }
| STACK error block NEWLINE                       { $$ = ast_error(p, @$); (void)$3; }
| WHILE error NEWLINE                             { $$ = ast_error(p, @$); }
| WHILE error block NEWLINE                       { $$ = ast_error(p, @$); (void)$3; }
| FOR error NEWLINE                               { $$ = ast_error(p, @$); }
| FOR error block NEWLINE                         { $$ = ast_error(p, @$); (void)$3; }

// Loops are expressions: what their turns give, stacked

loop:
  REPEAT expr block                               { $$ = ast_repeat(p, @$, $2, $3); }
| FOR names IN sources along block            { $$ = ast_for(p, @$, $2, $4, $5, $6); }
| WHILE expr COMMA NAME NAME expr block           { $$ = ast_while(p, @$, $2, $4, $5, $6, $7); }

along:
  %empty                                          { $$ = NULL; }
| ALONG expr                                      { $$ = $2; }

sources:
  expr                                            { $$ = list_new(p, $1); }
| sources COMMA expr                              { $$ = list_add(p, $1, $3); }

role:
  %empty                                          { $$ = NULL; }
| AS NAME                                         { $$ = ast_name(p, @2, $2); }

how:
  TILDE                                           { $$ = OPR_TILDE; }
| SET                                             { $$ = OPR_SET; }

row:
  %empty                                          { $$ = NULL; }
| OPENB chain CLOSEB                              { $$ = $2; }

shape_of_state:
  %empty                                          { $$ = NULL; }
| COLON list                                      { $$ = $2; }
| COLON LIKE chain                                { $$ = ast_like(p, span_join(@2, @3), $3); }

// Items that do something

train:
  TRAIN heads ON whole OPENC clauses CLOSEC       { $$ = ast_train(p, @$, $2, list_new(p, $4), NULL, $6); }
| TRAIN heads OPENC clauses CLOSEC                { $$ = ast_train(p, @$, $2, NULL, NULL, $4); }
| TRAIN heads WITH expr OPENC clauses CLOSEC      { $$ = ast_train(p, @$, $2, NULL, $4, $6); }
| TRAIN heads WITH expr                           { $$ = ast_train(p, @$, $2, NULL, $4, NULL); }
| TRAIN heads AS NAME OPENC clauses CLOSEC        { $$ = ast_as_train(ast_train(p, @$, $2, NULL, NULL, $6), &$4); }
| TRAIN heads ON whole WITH expr OPENC clauses CLOSEC { $$ = ast_train(p, @$, $2, list_new(p, $4), $6, $8); }
| TRAIN heads ON whole WITH expr                  { $$ = ast_train(p, @$, $2, list_new(p, $4), $6, NULL); }
| TRAIN heads ON several OPENC clauses CLOSEC     { $$ = ast_train(p, @$, $2, $4, NULL, $6); }
| TRAIN heads ON several WITH expr OPENC clauses CLOSEC { $$ = ast_train(p, @$, $2, $4, $6, $8); }
| TRAIN heads ON several WITH expr                { $$ = ast_train(p, @$, $2, $4, $6, NULL); }

several:
  expr COMMA further                              { $$ = list_add(p, list_new(p, $1), $3); }
| filtered COMMA further                          { $$ = list_add(p, list_new(p, $1), $3); }
| several COMMA further                           { $$ = list_add(p, $1, $3); }

further:
  NAME SET expr                                   { $$ = ast_bind(p, @$, AST_FURTHER, $1, $3); }

heads:
  model_name                                      { $$ = list_new(p, $1); }
| heads COMMA model_name                          { $$ = list_add(p, $1, $3); }

model_name:
  NAME                                            { $$ = ast_name(p, @$, $1); }

clauses:
  %empty                                          { $$ = list_new(p, NULL); }
| clauses clause NEWLINE                          { $$ = list_add(p, $1, $2); yyerrok; }
| clauses error NEWLINE                           { $$ = $1; yyerrok; }

clause:
  NAME expr                                       { $$ = ast_clause(p, @$, $1, $2); }
| GIVEN SET expr                                   { $$ = ast_bind(p, @$, AST_BIND, $1, $3); }
| GIVEN COMMA names SET expr                       { $$ = ast_unpack(p, @$, ast_name(p, @1, $1), $3, $5); }
| GIVEN ASSIGN expr                                { $$ = ast_bind(p, @$, AST_ASSIGN, $1, $3); }
| state
| penalize
| OPTIMIZE expr every when                        { $$ = ast_optimize(p, @$, $2, NULL, $3, $4); }
| OPTIMIZE expr FOR sources every when            { $$ = ast_optimize(p, @$, $2, $4, $5, $6); }
| MINIMIZE objectives BY expr every when          { $$ = ast_minimize(p, @$, $2, $4, $5, $6); }
| CONSTRAIN names IN selectors COLON expr         { $$ = ast_constrain(p, @$, $2, $4, $6); }
| LOG NAME SET expr                               { $$ = ast_bind(p, @$, AST_LOG, $2, $4); }
| FREEZE sources                                  { $$ = ast_freeze(p, @$, $2); }
| stop
| SOLVE TO NAME expr                              { $$ = ast_solve(p, @$, $3, $4, NULL, NULL, NULL); }
| SOLVE TO NAME expr COMMA NAME NAME expr         { $$ = ast_solve(p, @$, $3, $4, &$6, &$7, $8); }
| SAMPLE IN NAME                                  { $$ = ast_sample(p, @$, $3); }
| SAMPLE WHERE expr                               { $$ = ast_sample_of(p, @$, "where", $3, NULL); }
| SAMPLE chain                                    { $$ = ast_sample_of(p, @$, NULL, $2, NULL); }
| SAMPLE chain COMMA drawn NAME                   { $$ = ast_sample_of(p, @$, NULL, $2, drawn_rows(p, $4, $5)); }
| SAMPLE BY expr                                  { $$ = ast_sample_of(p, @$, "by", $3, NULL); }
| SAMPLE BY expr COMMA drawn NAME                 { $$ = ast_sample_of(p, @$, "by", $3, drawn_rows(p, $5, $6)); }
| EACH_EPOCH NAME stages                          { $$ = ast_each_epoch(p, @$, $3); (void)$2; }
| PRECISION NAME                                  { $$ = ast_inner_precision(p, @$); (void)$2; }

drawn:
  NUMBER                                          { $$ = ast_number(p, @$, $1, NULL); }
| NAME                                            { $$ = ast_name(p, @$, $1); }

objectives:
  objective                                       { $$ = list_new(p, $1); }
| objectives COMMA objective                      { $$ = list_add(p, $1, $3); }

objective:
  expr                                            { $$ = ast_objective(p, @$, $1, NULL); }
| expr OVER expr                                  { $$ = ast_objective(p, @$, $1, $3); }

every:
  %empty                                          { $$ = NULL; }
| EACH expr                                       { $$ = $2; }

when:
  %empty                                          { $$ = NULL; }
| WHEN expr                                       { $$ = $2; }

penalize:
  PENALIZE names IN selectors COLON expr          { $$ = ast_penalize(p, @$, $2, $4, $6, NULL); }
| PENALIZE names IN selectors COLON expr BY NAME  { $$ = ast_penalize(p, @$, $2, $4, $6, &$8); }
| PENALIZE COLON expr                             { $$ = ast_penalize(p, @$, list_new(p, NULL), list_new(p, NULL), $3, NULL); }

names:
  NAME                                            { $$ = list_new(p, ast_name(p, @1, $1)); }
| names COMMA NAME                                { $$ = list_add(p, $1, ast_name(p, @3, $3)); }

selectors:
  selector                                        { $$ = list_new(p, $1); }
| selectors COMMA selector                        { $$ = list_add(p, $1, $3); }

selector: selector_term
| selector EXCEPT selector_term                   { $$ = ast_pair(p, @$, AST_EXCEPT, $1, $3); }

selector_term: chain
| OPEN selector CLOSE                             { $$ = $2; }

stop:
  STOP WHEN expr                                  { $$ = ast_stop(p, @$, $3, NULL, false); }
| STOP WHEN expr STALLS FOR expr                  { $$ = ast_stop(p, @$, $3, $6, false); }
| STOP WHEN expr STALLS FOR expr COMMA KEEP BEST  { $$ = ast_stop(p, @$, $3, $6, true); }

evaluate:
  EVALUATE chain ON whole OPENC metrics CLOSEC { $$ = ast_evaluate(p, @$, $2, $4, $6); }

metrics:
  %empty                                          { $$ = list_new(p, NULL); }
| metrics metric_list NEWLINE                     { $$ = $1; for (int i = 0; i < $2->len; i++) list_add(p, $$, $2->data[i]); yyerrok; }
| metrics error NEWLINE                           { $$ = $1; yyerrok; }

metric_list:
  metric                                          { $$ = list_new(p, $1); }
| metric_list COMMA metric                        { $$ = list_add(p, $1, $3); }

metric: chain
| NAME SET expr                                   { $$ = ast_bind(p, @$, AST_BIND, $1, $3); }

check:
  CHECK expr COLON expr                           { $$ = ast_check(p, @$, $2, $4); }

// Expressions, loosest first: what is seen otherwise, in one piece with what is seen

whole: expr
| filtered
| whole WITH views                                { $$ = ast_with(p, @$, $1, $3); }

filtered:
  whole WHERE or                                  { $$ = ast_pair(p, @$, AST_WHERE, $1, $3); }
| filtered PIPE link                              { $$ = ast_pair(p, @$, AST_PIPE, $1, $3); }

views:
  view                                            { $$ = list_new(p, $1); }
| views COMMA view                                { $$ = list_add(p, $1, $3); }

view:
  NAME SET expr                                   { $$ = ast_column(p, @$, $1, $3, NULL); }
| NAME SET expr IN NAME                           { $$ = ast_column(p, @$, $1, $3, ast_name(p, @5, $5)); }
| NAME SET expr IN NAME AS NAME                   { $$ = ast_column(p, @$, $1, $3, ast_as(p, @$, ast_name(p, @5, $5), $7)); }

expr: until
| IF expr THEN expr ELSE expr                     { $$ = ast_triple(p, @$, AST_IF, $2, $4, $6); }
| EACH names IN sources COLON expr                { $$ = ast_each(p, @$, $2, $4, $6); }
| LEAST NAME NAME expr BY expr FOR expr COLON expr { $$ = ast_least(p, @$, $2, $3, $4, $6, $8, $10); }
| NEW chain                                       { $$ = ast_new(p, @$, $2); }
| loop

until: arrow
| arrow UNTIL arrow THEN expr                     { $$ = ast_triple(p, @$, AST_UNTIL, $1, $3, $5); }

arrow: pipe
| pipe ARROW pipe                                 { $$ = ast_pair(p, @$, AST_ARROW, $1, $3); }

pipe: or
| pipe PIPE link                                  { $$ = ast_pair(p, @$, AST_PIPE, $1, $3); }

link: chain
| chain AS NAME                                   { $$ = ast_as(p, @$, $1, $3); }

or: and
| or OR and                                       { $$ = ast_binary(p, @$, OPR_OR, $1, $3); }

and: not
| and AND not                                     { $$ = ast_binary(p, @$, OPR_AND, $1, $3); }

not: comparison
| NOT not                                         { $$ = ast_unary(p, @$, OPR_NOT, $2); }

comparison: span
| span compare span                               { $$ = ast_binary(p, @$, $2, $1, $3); }

compare:
  LT                                              { $$ = OPR_LT; }
| LE                                              { $$ = OPR_LE; }
| GT                                              { $$ = OPR_GT; }
| GE                                              { $$ = OPR_GE; }
| EQ                                              { $$ = OPR_EQ; }
| NE                                              { $$ = OPR_NE; }

span: shift
| shift DOTDOT shift                              { $$ = ast_range(p, @$, $1, $3); }

shift: sum
| shift AT sum                                    { $$ = ast_pair(p, @$, AST_AT, $1, $3); }
| shift EXCEPT sum                                { $$ = ast_pair(p, @$, AST_EXCEPT, $1, $3); }

sum: product
| sum PLUS product                                { $$ = ast_binary(p, @$, OPR_ADD, $1, $3); }
| sum MINUS product                               { $$ = ast_binary(p, @$, OPR_SUB, $1, $3); }

product: unary
| product STAR unary                              { $$ = ast_binary(p, @$, OPR_MUL, $1, $3); }
| product SLASH unary                             { $$ = ast_binary(p, @$, OPR_DIV, $1, $3); }
| product MATMUL unary                            { $$ = ast_binary(p, @$, OPR_MATMUL, $1, $3); }

unary: power
| MINUS unary                                     { $$ = ast_unary(p, @$, OPR_NEG, $2); }

power: postfix
| postfix POWER exponent                          { $$ = ast_binary(p, @$, OPR_POW, $1, $3); }

exponent: power
| MINUS exponent                                  { $$ = ast_unary(p, @$, OPR_NEG, $2); }

postfix: chain | atom
| chain AS NAME                                   { $$ = ast_as(p, @$, $1, $3); }
| atom AS NAME                                    { $$ = ast_as(p, @$, $1, $3); }

// What a pipe can lead to: a name, its parts, and calls of them.
chain:
  NAME                                            { $$ = ast_name(p, @$, $1); }
| STAR DOT NAME                                   { $$ = ast_field(p, @$, ast_star(p, @1), @3, $3.text); }
| STAR DOTSTAR                                    { $$ = ast_field(p, @$, ast_star(p, @1), @2, "*"); }
| chain DOT NAME                                  { $$ = ast_field(p, @$, $1, @3, $3.text); }
| chain DOTSTAR                                   { $$ = ast_field(p, @$, $1, @2, "*"); }
| chain OPEN args CLOSE                           { $$ = ast_call(p, @$, $1, $3); }
| chain OPENB elements CLOSEB                     { $$ = ast_index(p, @$, $1, $3); }

atom:
  NUMBER                                          { $$ = ast_number(p, @$, $1, NULL); }
| NUMBER NAME                                     { if (!unit_follows(p, &$1, &$2)) YYERROR; $$ = ast_number(p, @$, $1, &$2); }
| STRING                                          { $$ = ast_string(p, @$, $1); }
| TRUE                                            { $$ = ast_bool(p, @$, true); }
| FALSE                                           { $$ = ast_bool(p, @$, false); }
| OPEN whole CLOSE                                { $$ = $2; }
| OPEN whole CLOSE OPEN args CLOSE                { $$ = ast_call_of(p, @$, $2, $5); }
| OPEN tuple comma CLOSE                          { $$ = ast_tuple(p, @$, $2); }
| PROX NAME OPEN args CLOSE                       { $$ = ast_beside_call(p, @$, $1, $2, $4); }
| list
| TABLE OPEN args CLOSE block                     { $$ = ast_table(p, @$, $3, $5); }
| atom OPENB elements CLOSEB                      { $$ = ast_index(p, @$, $1, $3); }
| atom DOT NAME                                   { $$ = ast_field(p, @$, $1, @3, $3.text); }

tuple:
  expr COMMA expr                                 { $$ = list_add(p, list_new(p, $1), $3); }
| tuple COMMA expr                                { $$ = list_add(p, $1, $3); }

args:
  %empty                                          { $$ = list_new(p, NULL); }
| arg_list comma

arg_list:
  arg                                             { $$ = list_new(p, $1); }
| arg_list COMMA arg                              { $$ = list_add(p, $1, $3); }

arg:
  expr                                            { $$ = ast_arg(p, @$, NULL, $1); }
| NAME COLON expr                                 { $$ = ast_arg(p, @$, &$1, $3); }

list:
  OPENB CLOSEB                                    { $$ = ast_list(p, @$, list_new(p, NULL)); }
| OPENB elements CLOSEB                           { $$ = ast_list(p, @$, $2); }

elements: element_list comma

element_list:
  element                                         { $$ = list_new(p, $1); }
| element_list COMMA element                      { $$ = list_add(p, $1, $3); }

element: expr | variant
| WHERE expr                                      { $$ = ast_unary(p, @$, OPR_WHERE, $2); }
| LE shift                                        { $$ = ast_unary(p, @$, OPR_LE, $2); }
| shift DOTDOT PLUS shift                         { $$ = ast_range(p, @$, $1, ast_unary(p, span_join(@3, @4), OPR_ADD, $4)); }
| shift DOTDOT                                    { $$ = ast_range(p, @$, $1, NULL); }
| DOTDOT shift                                    { $$ = ast_range(p, @$, NULL, $2); }
| DOTDOT                                          { $$ = ast_range(p, @$, NULL, NULL); }

%%

// Called with "memory exhausted" alone: mistakes of the source go to yyreport_syntax_error.
static void grammar_error(const Span *span, ParseContext *p, const char *message) {
  (void)message;
  too_deep(p, *span);
}

static int yyreport_syntax_error(const yypcontext_t *context, ParseContext *p) {
  enum { MOST = YYNTOKENS };
  yysymbol_kind_t kinds[MOST];
  const char *names[MOST];
  int n = yypcontext_expected_tokens(context, kinds, MOST);
  if (n < 0) n = 0;
  for (int i = 0; i < n; i++) names[i] = yysymbol_name(kinds[i]);
  syntax_error(p, names, n);
  return 0;
}
