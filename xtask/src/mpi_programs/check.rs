//! What the programs say of their results.

/// HPC Challenge: every test passed, and HPL's residual.
pub(super) fn hpcc(said: &str) -> Result<String, String> {
    let wrong = |line: &&str| line.contains("FAILED") || (line.starts_with("Found ") && !line.contains("(passed)"));
    if let Some(line) = said.lines().find(wrong) {
        return Err(line.to_owned());
    }
    let residual = said.lines().find(|line| line.starts_with("||Ax-b||") && line.ends_with("PASSED"));
    let residual = residual.ok_or("HPL's residual was not checked")?;
    for expected in ["tests completed and passed residual checks", "Found 0 errors", "Success=1"] {
        if !said.contains(expected) {
            return Err(format!("its report lacks `{expected}`"));
        }
    }
    Ok(residual.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// NetPIPE with its check of what arrives: every length passed.
pub(super) fn netpipe(said: &str) -> Result<String, String> {
    let lengths: Vec<_> = said.lines().filter(|line| line.contains("-->")).collect();
    match lengths.iter().find(|line| !line.ends_with("Integrity check passed")) {
        Some(line) => Err(line.trim().to_owned()),
        None if lengths.is_empty() => Err(format!("it checked nothing:\n{said}")),
        None => Ok(format!("{} lengths arrived whole", lengths.len())),
    }
}

/// hypre's drivers: multigrid converged, and a structured solver took the same way on one rank and on several.
pub(super) fn hypre(amg: &str, alone: &str, shared: &str) -> Result<String, String> {
    let (_, residual) = converged(amg)?;
    let limit = 1e-8;
    if residual.is_nan() || residual > limit {
        return Err(format!("the residual of multigrid is {residual:e}, which should be below {limit:e}"));
    }
    let (one, several) = (converged(alone)?, converged(shared)?);
    if one.0 != several.0 || (one.1 - several.1).abs() > 1e-6 * one.1 {
        return Err(format!("iterations and residual are {one:?} on 1 rank, and {several:?} on 4"));
    }
    Ok(format!("residual {residual:e}; {} iterations to {:e}, on 1 rank as on 4", one.0, one.1))
}

/// Iterations and final residual.
fn converged(said: &str) -> Result<(u32, f64), String> {
    let value = |name: &str| {
        let line = said.lines().find(|line| line.trim_start().starts_with(name));
        line.and_then(|line| line.split_once('='))
            .map(|(_, value)| value.trim())
            .ok_or(format!("no `{name}` in:\n{said}"))
    };
    let (iterations, residual) = (value("Iterations")?, value("Final Relative Residual Norm")?);
    let number = |_| format!("`{iterations}` iterations to `{residual}`");
    Ok((iterations.parse().map_err(|_| number(()))?, residual.parse().map_err(|_| number(()))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hpcc_passes_as_a_whole() {
        let good = "Found 0 errors in 5 locations (passed).\n||Ax-b||_oo/(..)=        0.003 ...... PASSED\n\
                    1 tests completed and passed residual checks,\nSuccess=1\n";
        assert_eq!(hpcc(good).unwrap(), "||Ax-b||_oo/(..)= 0.003 ...... PASSED");
        for (from, to) in
            [("0.003 ...... PASSED", "99.0 ...... FAILED"), ("(passed)", "(failed)"), ("Success=1", "Success=0")]
        {
            hpcc(&good.replace(from, to)).unwrap_err();
        }
        hpcc("").unwrap_err();
    }

    #[test]
    fn netpipe_passes_at_every_length() {
        let good =
            "  0:  1 bytes  9 times -->  Integrity check passed\n  1:  2 bytes  9 times -->  Integrity check passed\n";
        assert_eq!(netpipe(good).unwrap(), "2 lengths arrived whole");
        netpipe(&good.replacen("passed", "failed", 1)).unwrap_err();
        netpipe("Now starting the main loop\n").unwrap_err();
    }

    #[test]
    fn hypre_converges_in_the_same_way() {
        let said = |iterations: u32, residual: f64| {
            format!("Iterations = {iterations}\nFinal Relative Residual Norm = {residual:e}\n")
        };
        let (amg, way) = (said(7, 5e-9), said(9, 1.5e-7));
        assert_eq!(hypre(&amg, &way, &way).unwrap(), "residual 5e-9; 9 iterations to 1.5e-7, on 1 rank as on 4");
        hypre(&said(99, 0.5), &way, &way).unwrap_err();
        hypre(&said(9, f64::NAN), &way, &way).unwrap_err();
        hypre(&amg, &way, &said(10, 1.5e-7)).unwrap_err();
        hypre(&amg, &way, &said(9, 1.6e-7)).unwrap_err();
        hypre("", &way, &way).unwrap_err();
    }
}
