// Sources of data: see source.c.
#ifndef LOWER_SOURCE_H
#define LOWER_SOURCE_H
#include "value.h"

// Each fills the step of a plan from its call; false after a report. `first`: of the first file, where the
// call is a part's.
bool csv_source(Cx *cx, Env *env, const Ast *call, const reg_data_op *first, reg_data_op *op);
bool text_source(Cx *cx, Env *env, const Ast *call, reg_data_op *op);
bool idx_source(Cx *cx, const Ast *call, reg_data_op *op);
const char *data_name(Cx *cx, const Ast *e); // of a column: a name or a text; NULL after a report
#endif
