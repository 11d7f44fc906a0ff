import CDefaultPipeline
import Runtime

/// The files that `finops init` writes for people to edit.
enum DefaultFiles {
    /// Every setting with its default, commented out: the file says what can be said.
    static let configuration: String = {
        let settings = Setting.all.map { "# \($0.summary)\n# \($0.key): \($0.fallback)\n" }
        return """
            # FinOps configuration. A line that begins with # is a default; take the # away to change it.
            # The environment (\(Setting.all.first?.environmentName ?? "FINOPS_…") and so on) and the command line win over this file.

            \(settings.joined(separator: "\n"))
            # Dated rates of exchange into the reporting currency
            # rates:
            #   - currency: EUR
            #     from: 2026-01-01
            #     rate: 1.0834

            """
    }()

    static let pipeline = String(
        decoding: UnsafeBufferPointer(start: finops_default_pipeline_start(), count: finops_default_pipeline_length),
        as: UTF8.self)

    static func nextSteps(_ directory: StateDirectory) -> String {
        """
        next: finops connect openai --dir \(directory.path) --name NAME --key-file FILE
              finops up --dir \(directory.path)
        keep a copy of \(directory.masterKey) apart from backups: without it nobody can read the vault
        """
    }
}
