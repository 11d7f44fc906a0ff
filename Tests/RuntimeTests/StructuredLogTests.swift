import EventLog
import Logging
import Runtime
import Testing

@Suite struct StructuredLogTests {
    private func lines(_ format: LogFormat, _ body: (Logger) -> Void) -> [String] {
        let told = Told<String>()
        body(
            Logger(label: "test") { _ in
                StructuredLogHandler(level: .info, format: format, stage: "projector") { told.add($0) }
            })
        return told.all
    }

    @Test func aFactIsOneLineWhateverItHolds() {
        let found = lines(.logfmt) { logger in
            logger.info(
                "two\nlines", metadata: ["stream": "usage-a b", "forged\n": "x\" level=error \u{1B}[31m\u{2028}"])
        }
        #expect(found.count == 1)
        let line = found[0]
        #expect(!line.contains("\n") && !line.contains("\u{1B}") && !line.contains("\u{2028}"))
        #expect(line.contains("level=info msg=\"two\\nlines\" forged_=\"x\\\" level=error \\u{1b}[31m\\u{2028}\""))
        #expect(line.contains("stage=projector stream=\"usage-a b\""))
    }

    @Test func jsonLinesAreJson() {
        let found = lines(.json) { $0.notice("ok", metadata: ["position": "7"]) }
        #expect(found[0].contains("\"level\":\"notice\",\"msg\":\"ok\",\"position\":\"7\",\"stage\":\"projector\"}"))
    }

    @Test func whatIsBelowTheLevelIsNotWritten() {
        #expect(lines(.logfmt) { $0.debug("detail") }.isEmpty)
    }
}
