//! The two lists of the ABI, `mpi-shim/abi/functions.txt` and `constants.txt`, read into what the generators walk.

/// A C function of the standard: `int MPI_Send(const void *buf, int count, …)`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// `MPI_Send`.
    pub(crate) name: String,
    /// The C type that it returns.
    pub(crate) returns: String,
    /// Its parameters in order.
    pub(crate) parameters: Vec<Parameter>,
    /// The version of the standard that deprecated it.
    pub(crate) deprecated: Option<String>,
}

/// A parameter of a function: `const int recvcounts[]` has the declaration as it stands and a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// As C declares it.
    pub(crate) declaration: String,
    /// Its name alone.
    pub(crate) name: String,
}

impl Parameter {
    fn parse(declaration: &str) -> Parameter {
        let name = declaration.split('[').next().unwrap_or_default().rsplit([' ', '*']).next().unwrap_or_default();
        Parameter { declaration: declaration.to_owned(), name: name.to_owned() }
    }

    /// The declaration without the name: `const int []`, `void *`, `MPI_Comm`.
    pub(crate) fn kind(&self) -> String {
        let (before, after) = self.declaration.rsplit_once(&self.name).unwrap_or((&self.declaration, ""));
        format!("{}{after}", before.trim_end())
    }

    /// True for pointers and arrays.
    pub(crate) fn is_pointer(&self) -> bool {
        self.kind().contains(['*', '['])
    }
}

impl Function {
    fn parse(line: &str) -> Option<Function> {
        let (head, rest) = line.split_once('(')?;
        let (parameters, tail) = rest.split_once(')')?;
        let (returns, name) = head.rsplit_once(' ')?;
        let parameters = match parameters {
            "void" => Vec::new(),
            list => list.split(", ").map(Parameter::parse).collect(),
        };
        let deprecated = tail.strip_prefix(" deprecated ").map(str::to_owned);
        Some(Function { name: name.to_owned(), returns: returns.to_owned(), parameters, deprecated })
    }

    /// The C prototype without its semicolon, with `prefix` before the name.
    pub(crate) fn prototype(&self, prefix: &str) -> String {
        let parameters: Vec<_> = self.parameters.iter().map(|p| p.declaration.as_str()).collect();
        let parameters = if parameters.is_empty() { "void".to_owned() } else { parameters.join(", ") };
        format!("{} {prefix}{}({parameters})", self.returns, self.name)
    }

    /// The function without the mark of large counts.
    pub(crate) fn base_name(&self) -> &str {
        self.name.strip_suffix("_c").unwrap_or(&self.name)
    }
}

/// The functions, in the list's order.
pub(crate) fn functions(text: &str) -> Result<Vec<Function>, String> {
    let parse = |line| Function::parse(line).ok_or_else(|| format!("functions.txt: not a prototype: {line}"));
    let functions: Vec<_> = text.lines().map(parse).collect::<Result<_, _>>()?;
    match functions.windows(2).find(|pair| pair[0].name >= pair[1].name) {
        Some(pair) => Err(format!("functions.txt: {} must stand before {}", pair[1].name, pair[0].name)),
        None => Ok(functions),
    }
}

/// A section of constants: a title, and its constants.
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) constants: Vec<Constant>,
}

/// A constant: `MPI_COMM_WORLD MPI_Comm 0x101`.
pub(crate) struct Constant {
    pub(crate) name: String,
    /// Its C type: `int`, a handle, a pointer; `alias` of another constant; `enum:T` in the enumeration T.
    pub(crate) kind: String,
    pub(crate) value: String,
    pub(crate) deprecated: Option<String>,
}

/// The sections of `constants.txt`.
pub(crate) fn constants(text: &str) -> Result<Vec<Section>, String> {
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(title) = line.strip_prefix("# ") {
            sections.push(Section { title: title.to_owned(), constants: Vec::new() });
            continue;
        }
        let wrong = || format!("constants.txt: expected NAME KIND VALUE [deprecated VERSION] below a title: {line}");
        let section = sections.last_mut().ok_or_else(wrong)?;
        let fields: Vec<_> = line.split(' ').collect();
        let (name, kind, value, deprecated) = match fields[..] {
            [name, kind, value] => (name, kind, value, None),
            [name, kind, value, "deprecated", version] => (name, kind, value, Some(version.to_owned())),
            _ => return Err(wrong()),
        };
        section.constants.push(Constant {
            name: name.to_owned(),
            kind: kind.to_owned(),
            value: value.to_owned(),
            deprecated,
        });
    }
    Ok(sections)
}
