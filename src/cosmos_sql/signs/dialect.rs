//! Words of other databases' languages that Cosmos DB does not have and payloads for them carry.

/// Functions of MySQL, PostgreSQL, SQL Server, Oracle and SQLite.
const FUNCTIONS: [&str; 46] = [
    "ASCII",
    "BENCHMARK",
    "CAST",
    "CHAR",
    "CHR",
    "CONCAT_WS",
    "CONVERT",
    "COUNT_BIG",
    "CURRENT_USER",
    "DATABASE",
    "DB_NAME",
    "DBMS_PIPE",
    "DELAY",
    "EXEC",
    "EXECUTE",
    "EXTRACTVALUE",
    "GROUP_CONCAT",
    "HEX",
    "HOST_NAME",
    "IF",
    "IFNULL",
    "INSTR",
    "ISNULL",
    "JSON_KEYS",
    "LIKELIHOOD",
    "LOAD_FILE",
    "MAKE_SET",
    "MID",
    "NVL",
    "OBJECT_ID",
    "ORD",
    "PG_SLEEP",
    "RANDOMBLOB",
    "ROW_COUNT",
    "SCHEMA",
    "SLEEP",
    "SQLITE_VERSION",
    "SUBSTR",
    "SUSER_NAME",
    "SYSTEM_USER",
    "UNHEX",
    "UPDATEXML",
    "USER",
    "USER_NAME",
    "VERSION",
    "XMLTYPE",
];

/// Tables and variables.
const NAMES: [&str; 12] = [
    "INFORMATION_SCHEMA",
    "SYSOBJECTS",
    "SYSCOLUMNS",
    "SYSDATABASES",
    "SQLITE_MASTER",
    "PG_CATALOG",
    "PG_TABLES",
    "ALL_TABLES",
    "USER_TABLES",
    "DUAL",
    "XP_CMDSHELL",
    "MSYSOBJECTS",
];

/// Words that begin what the language does not have.
const PAYLOAD: [&str; 17] = [
    "UNION",
    "INSERT",
    "UPDATE",
    "DELETE",
    "DROP",
    "ALTER",
    "CREATE",
    "TRUNCATE",
    "WAITFOR",
    "EXEC",
    "EXECUTE",
    "DECLARE",
    "HAVING",
    "INTO",
    "OUTFILE",
    "SHUTDOWN",
    "PROCEDURE",
];

fn among(words: &[&str], word: &[u8]) -> bool {
    words.iter().any(|w| word.eq_ignore_ascii_case(w.as_bytes()))
}

/// A function that belongs to another database.
pub(super) fn is_foreign_function(name: &[u8]) -> bool {
    among(&FUNCTIONS, name)
}

/// A table or variable that belongs to another database.
pub(super) fn is_foreign_name(name: &[u8]) -> bool {
    among(&NAMES, name)
}

/// A word of statements that Cosmos DB does not have.
pub(super) fn is_payload_word(word: &[u8]) -> bool {
    among(&PAYLOAD, word)
}

/// How a function is called.
#[derive(Clone, Copy)]
pub(super) struct Form {
    /// Most arguments.
    pub(super) most: usize,
    /// The third is `true` or `false`.
    pub(super) flag: bool,
}

/// The form of the functions that take what users type.
pub(super) fn form_of(name: &[u8]) -> Option<Form> {
    let with_flag = ["CONTAINS", "STARTSWITH", "ENDSWITH", "STRINGEQUALS", "ARRAY_CONTAINS"];
    if among(&with_flag, name) {
        return Some(Form { most: 3, flag: true });
    }
    let one = ["LOWER", "UPPER", "LENGTH", "REVERSE", "IS_DEFINED", "IS_NULL", "ARRAY_LENGTH"];
    let three = ["REGEXMATCH", "INDEX_OF", "SUBSTRING", "REPLACE", "IIF"];
    let most = match name {
        _ if among(&one, name) => 1,
        _ if among(&["LEFT", "RIGHT", "FULLTEXTCONTAINS"], name) => 2,
        _ if among(&three, name) => 3,
        _ => return None,
    };
    Some(Form { most, flag: false })
}
