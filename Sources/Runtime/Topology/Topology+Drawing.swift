extension Topology {
    /// The pipeline as a Mermaid flow chart.
    package var mermaid: String {
        var lines = ["flowchart LR"]
        lines += processes.map { "    \(identifier($0.name))[\($0.name)]" }
        lines += stores.map { "    store_\(identifier($0.name))[(\($0.name))]" }
        if !outside.isEmpty { lines.append("    people([people])") }
        lines += edges.map { edge in
            "    \(edge.from) -->" + (edge.label.isEmpty ? "" : "|\"\(edge.label)\"|") + " \(edge.to)"
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The pipeline in Graphviz' language.
    package var dot: String {
        var lines = ["digraph \"\(name)\" {", "    rankdir=LR; node [shape=box];"]
        lines += processes.map { "    \(identifier($0.name)) [label=\"\($0.name)\"];" }
        lines += stores.map { "    store_\(identifier($0.name)) [label=\"\($0.name)\", shape=cylinder];" }
        if !outside.isEmpty { lines.append("    people [shape=oval];") }
        lines += edges.map { "    \($0.from) -> \($0.to) [label=\"\($0.label)\"];" }
        return (lines + ["}"]).joined(separator: "\n") + "\n"
    }

    /// Who gives what to whom: every event passes through the log's owner.
    private var edges: [(from: String, to: String, label: String)] {
        let log = identifier(stores.first { $0.name == "log" }?.owner ?? "log")
        var edges: [(from: String, to: String, label: String)] = []
        if !outside.isEmpty { edges.append(("people", log, categories(outside))) }
        for process in processes {
            if !process.produces.isEmpty { edges.append((identifier(process.name), log, categories(process.produces))) }
            if !process.consumes.isEmpty { edges.append((log, identifier(process.name), categories(process.consumes))) }
        }
        edges += stores.map { (identifier($0.owner), "store_" + identifier($0.name), "writes") }
        return edges
    }

    /// `usage.recorded, usage.restated, bill.recorded` is drawn as `bill, usage`.
    private func categories(_ types: [String]) -> String {
        let categories = Set(types.map { $0 == "*" ? "everything" : String($0.prefix { $0 != "." }) })
        return categories.sorted().joined(separator: ", ")
    }

    private func identifier(_ name: String) -> String { name.map { $0 == "-" ? "_" : String($0) }.joined() }
}
