// The words of structures.h that are not defined yet mean nothing.
#ifndef STRUCT
#define STRUCT(name)
#endif
#ifndef VALUE
#define VALUE(type, member)
#endif
#ifndef VALUES
#define VALUES(type, member, n)
#endif
#ifndef TEXT
#define TEXT(member)
#endif
#ifndef TEXTS
#define TEXTS(member, count)
#endif
#ifndef TEXTS_INSIDE
#define TEXTS_INSIDE(member, n, count)
#endif
#ifndef LIST
#define LIST(type, member, count)
#endif
#ifndef CHANGING
#define CHANGING(type, member, count)
#endif
#ifndef NUMBERS
#define NUMBERS(type, member, count)
#endif
#ifndef BYTES
#define BYTES(member, bytes)
#endif
#ifndef FUNCTION
#define FUNCTION(member)
#endif
#ifndef CODE
#define CODE(type, member)
#endif
#ifndef ROOM
#define ROOM(type, member, count)
#endif
#ifndef PROCESS
#define PROCESS(type, member)
#endif
#ifndef END
#define END(name)
#endif
