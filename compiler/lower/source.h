// Steps of a plan for data, from calls: sources (source.c), divisions (divide.c), columns (prepare.c).
#ifndef LOWER_SOURCE_H
#define LOWER_SOURCE_H
#include "value.h"

// Each fills the step of a plan from its call; false after a report. `first`: of the first file, where the
// call is a part's.
bool csv_source(Cx *cx, Env *env, const Ast *call, const reg_data_op *first, reg_data_op *op);
bool text_source(Cx *cx, Env *env, const Ast *call, reg_data_op *op);
bool idx_source(Cx *cx, const Ast *call, reg_data_op *op);
bool npy_source(Cx *cx, const Ast *call, bool archive, const reg_data_op *first, reg_data_op *op);
bool images_source(Cx *cx, Env *env, const Ast *call, const reg_data_op *first, reg_data_op *op);
bool split_step(Cx *cx, Env *env, const Ast *call, reg_data_op *op);
bool data_is_several(Cx *cx, const Ast *e, const char *what); // where one must stand: reports; false
bool fold_step(Cx *cx, Env *env, const Ast *call,
               reg_data_op *op); // one fold, of a tree that data_element made
// `first`: the position of the other table among the arguments; set: the data set that is joined.
bool join_step(Cx *cx, Env *env, const Ast *call, int first, int set, reg_data_op *op);
Ast *fold_picked(Cx *cx, Env *env,
                 const Ast *e); // of `folds(…)[i]`: the tree of that one; NULL after a report
bool data_number(Cx *cx, Env *env, const Ast *e, const char *what, double *out);
bool order_arg(Cx *cx, const Ast *call, reg_data_op *op); // of dates: `order: mdy`
bool prepares(int builtin);                               // is a step of prepare.c
bool prepare_step(Cx *cx, Env *env, int builtin, const Ast *call, reg_data_op *op);
// A whole number that is known, of at least 1; *to stays where nothing says it.
bool number_arg(Cx *cx, Env *env, const Ast *call, const char *arg, int position, const char *what,
                int64_t *to);
bool field_arg(Cx *cx, const Ast *e, reg_data_op *op);                // `y`, `"a column" as y`: target, field
bool tokens_args(Cx *cx, Env *env, const Ast *call, reg_data_op *op); // words, merges, drop
// A column, or a list of them.
bool data_names(Cx *cx, const Ast *e, const char *const **to, int *n);
const char *data_name(Cx *cx, const Ast *e); // of a column: a name or a text; NULL after a report

// -- data_call.c
// The data definition with parameters that a call, a name or the last link of a pipe is of; NULL: none.
Def *data_callee(Cx *cx, const Ast *e);
// Where its first argument stands; NULL: it is not given.
Ast **data_argument(Cx *cx, const Ast *e);
// What it makes, of an e that has a callee; once for each.
struct DataCall {
  const Ast *at;
  Def *def;
  const Ast *body;  // with what is given in it; NULL after a report
  const char *text; // the call without its data
  AxisReads reads;
};
const DataCall *data_called(Cx *cx, Env *env, const Ast *e);
#endif
