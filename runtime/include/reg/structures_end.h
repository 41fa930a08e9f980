// The words of structures.h mean nothing any more.
#undef STRUCT
#undef VALUE
#undef VALUES
#undef TEXT
#undef TEXTS
#undef TEXTS_INSIDE
#undef LIST
#undef CHANGING
#undef NUMBERS
#undef BYTES
#undef FUNCTION
#undef CODE
#undef ROOM
#undef PROCESS
#undef END
#undef TABLE
