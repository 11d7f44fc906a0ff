import EventLog
import Foundation
import JSON
import Notices
import Testing

/// How mails look where a browser shows them: Chromium measures each at the width of a phone and of a desktop. Skipped where
/// there is none.
@Suite(.enabled(if: Chromium.path != nil, "there is no Chromium")) struct RenderedMailTests {
    @Test(arguments: [false, true])
    func nothingIsCutOffAndEverythingIsReadable(_ isDark: Bool) async throws {
        var mails = Samples.all.flatMap { sample in
            NoticeLanguage.allCases.map { language in
                (
                    "\(sample.name).\(language.rawValue)",
                    MailText(sample.notice, language: language, settings: Samples.settings)
                )
            }
        }
        for seed in 0..<8 as Range<UInt64> {
            var hostile = Hostile(seed: seed)
            let notice = hostile.notice(facts: 12)
            mails.append(("seed \(seed)", MailText(notice, language: .korean, settings: Samples.settings)))
        }
        let measures = try await Chromium.measure(mails.map { ($0.0, $0.1.html) }, isDark: isDark)
        #expect(measures.count == 2 * mails.count)
        for measure in measures {
            #expect(measure["dark"]?.bool == isDark, "\(measure.text)")
            #expect(measure["content"]?.integer == measure["width"]?.integer, "\(measure.text)")
            // What WCAG asks of text of this size.
            #expect(measure["unreadable"]?.array == [], "\(measure.text)")
        }
    }
}

/// The browser of Debian, or another one that takes the same options.
enum Chromium {
    static let path = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    /// Shows documents in frames of 375 and 1,280 pixels.
    /// - Returns: per document and width its name, how wide its content is, and texts with too little contrast.
    static func measure(_ documents: [(name: String, html: String)], isDark: Bool) async throws -> [JSONValue] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "chromium-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { _ = try? FileManager.default.removeItem(at: folder) }
        let frames = documents.flatMap { document in
            [375, 1_280].map { width in
                "<iframe title=\"\(attribute(document.name))\" style=\"border:0;height:600px;width:\(width)px\" "
                    + "srcdoc=\"\(attribute(document.html))\"></iframe>"
            }
        }
        let page = folder.appending(path: "page.html")
        let html = "<!DOCTYPE html><meta charset=\"utf-8\"><body>\(frames.joined())<script>\(script)</script></body>"
        try Data(html.utf8).write(to: page)
        let dom = try await run(
            ["--user-data-dir=\(folder.path)/profile", "--dump-dom"] + (isDark ? ["--force-dark-mode"] : [])
                + [page.absoluteString], in: folder)
        let answer = try #require(dom.split(separator: "<pre>").last?.split(separator: "</pre>").first, "\(dom)")
        let text = [("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", "\u{A0}"), ("&amp;", "&")].reduce(String(answer)) {
            $0.replacingOccurrences(of: $1.0, with: $1.1)
        }
        return try JSONValue.parse(text).array ?? []
    }

    private static func attribute(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "\"", with: "&quot;")
    }

    private static func run(_ arguments: [String], in folder: URL) async throws -> String {
        let output = folder.appending(path: "out")
        try Data().write(to: output)
        let process = Process()
        // Its own sandbox needs rights that a container does not give; what it shows is ours.
        process.executableURL = URL(filePath: "/usr/bin/timeout")
        process.arguments =
            ["60", path ?? ""] + ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"] + arguments
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = FileHandle.nullDevice
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            process.terminationHandler = { _ in continuation.resume() }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        return try String(contentsOf: output, encoding: .utf8)
    }

    /// Contrast after WCAG 2: of each text with what is painted behind it.
    private static let script = """
        const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
        const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
            .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const behind = (node, view) => {
            for (let at = node; at; at = at.parentElement) {
                const colour = rgb(view.getComputedStyle(at).backgroundColor);
                if (colour.length < 4 || colour[3] > 0) return colour;
            }
            return [255, 255, 255];
        };
        addEventListener('load', () => {
            const all = [...document.querySelectorAll('iframe')].map(frame => {
                const view = frame.contentWindow, page = frame.contentDocument, unreadable = [];
                for (const node of page.body.querySelectorAll('*')) {
                    if (![...node.childNodes].some(child => child.nodeType === 3 && child.data.trim())) continue;
                    const [a, b] = [light(rgb(view.getComputedStyle(node).color)), light(behind(node, view))];
                    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
                    if (contrast < 4.5) unreadable.push(contrast.toFixed(1) + ' ' + node.textContent.slice(0, 40));
                }
                return {
                    name: frame.title, width: page.documentElement.clientWidth, content: page.documentElement.scrollWidth,
                    dark: view.matchMedia('(prefers-color-scheme:dark)').matches, unreadable
                };
            });
            const answer = document.createElement('pre');
            answer.textContent = JSON.stringify(all);
            document.body.replaceChildren(answer);
        });
        """
}
