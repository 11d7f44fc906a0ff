/// A message in words, the same in both of its forms.
package struct MailWording: Hashable, Sendable {
    /// One line.
    package var subject: String
    /// Complete, for readers of plain text.
    package var text: String
    /// Complete, for everybody else.
    package var html: String

    package init(subject: String, text: String, html: String) {
        self.subject = subject
        self.text = text
        self.html = html
    }
}
